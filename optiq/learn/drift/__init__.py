"""Has a day, or what a scorer says of it, left what the models learnt from."""
