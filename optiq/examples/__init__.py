"""Strategies as a user writes them; `optiq demo` copies one out to be edited."""
