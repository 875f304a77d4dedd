"""The direction model: labels, windows, the transformer, what it must beat, its gate."""
