"""Inference: predictors and the runtimes below them."""
