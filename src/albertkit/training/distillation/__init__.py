"""Distillation: from a teacher's vectors of texts to an encoder."""
