"""A parser that takes all the memory, or all the time, a file asks for."""

from __future__ import annotations


def take(content: bytes) -> None:
    """Never return."""
    taken: list[bytes] = []
    while True:
        if content == b"memory":
            taken.append(bytes(1 << 24))
