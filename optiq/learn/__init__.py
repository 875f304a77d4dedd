"""What we learnt, and what it is worth: labels, splits, models, their evidence and their gate."""
