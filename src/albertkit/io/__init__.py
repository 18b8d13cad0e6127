"""Files: atomic writes, text decoding, archives, manifests, vectors, locks, progress."""
