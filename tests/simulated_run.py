"""A small simulated store that tests of whole runs share."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store

UNDERLYING = "NIFTY"


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="optiq-simulated-")


@cache
def stored() -> Store:
    """Four sessions from 2025-01-01, made once."""
    store = Store(Path(_folder().name))
    store_simulation(Simulation(days=4, seed=5), store)
    return store
