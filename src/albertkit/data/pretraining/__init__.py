"""From documents of a corpus to masked, ordered batches: made anew at every epoch, from the seed alone."""
