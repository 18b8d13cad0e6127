"""Models: load, save and convert them."""
