"""Pretraining: from shards of a corpus to an encoder."""
