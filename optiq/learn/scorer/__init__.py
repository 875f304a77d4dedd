"""The signal scorer: from labelled rows to a candidate, its worth, its gate, its serving."""
