"""Raw text for pretraining: documents, sentences, and the memory-mapped shards that hold their tokens."""
