"""Has a day, or what a scorer says of it, left what the models learnt from."""

SESSIONS = 200
"""Training sessions that a day is compared with, where nobody says; fewer where there are fewer."""
