"""The one way loops are compiled."""

from __future__ import annotations

from numba import njit

compiled = njit(cache=True, error_model="numpy", nogil=True)
"""Decorate a loop: compiled when first called and kept on disk; divides as NumPy does, so that by
zero is infinite or NaN; runs without Python's lock, so that the next days are read meanwhile."""
