"""Turn the documents of a corpus into masked, ordered batches: new ones in every epoch, determined by the seed."""
