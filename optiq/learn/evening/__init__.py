"""The evening by itself: its steps, its calendar, its manifest and what it tells."""
