"""Packed batches: the tokens of several sequences in one row, and how sequences are cut into batches."""
