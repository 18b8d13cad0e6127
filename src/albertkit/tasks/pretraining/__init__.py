"""Masked pieces and sentence order: the heads that ALBERT is pretrained with."""
