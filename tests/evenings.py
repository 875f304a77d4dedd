"""A small week for the evening: recordings of simulated days, settings, and the real command."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optiq.cli.app import main
from optiq.market.ingest.pipeline import ingest
from optiq.market.simulate import simulate_days
from optiq.market.simulated_settings import Simulation
from optiq.market.store import Store

WEEK = Simulation(
    days=9,
    seed=3,
    start=dt.date(2025, 10, 28),
    row_seconds=300.0,
    strikes_each_side=6,
    expiries=1,
)
"""28, 29, 30, 31 October, then the week with a holiday on Wednesday the 5th, and the 10th."""
HOLIDAY = "2025-11-05"
SETTINGS = """
[walk]
latency_s = 0.0

[evening]
sources = ["recordings/*.csv"]
lookback = 3
least_free_mb = 0
"""


@cache
def recordings() -> dict[str, str]:
    """The CSV of each session, by its date."""
    told = {}
    for day in simulate_days(WEEK):
        frame = pd.DataFrame({k: np.asarray(v) for k, v in day.columns.items()})
        table = pd.DataFrame(
            {
                "timestamp": frame.ts.dt.tz_localize("UTC")
                .dt.tz_convert("Asia/Kolkata")
                .dt.strftime("%Y-%m-%d %H:%M:%S+05:30"),
                "symbol": "NIFTY",
                "expiry": frame.expiry.dt.strftime("%Y-%m-%d"),
                "strike_price": frame.strike,
                "option_type": np.where(frame.right > 0, "CE", "PE"),
                **{name: frame[name] for name in ("ltp", "bid", "ask", "volume", "oi")},
                "spot_price": frame.spot,
            }
        )
        told[day.date.isoformat()] = table.to_csv(index=False)
    return told


def days() -> list[str]:
    """The sessions, ISO."""
    return list(recordings())


class Place:
    """A folder with settings, recordings, store and models, and the command run in it."""

    def __init__(self, root: Path, settings: str = SETTINGS) -> None:
        self.root, self.store, self.models = root, root / "data" / "store", root / "models"
        (root / "recordings").mkdir(parents=True)
        (root / "optiq.toml").write_text(f'store = "data/store"\nmodels = "models"\n{settings}')

    def record(self, *dates: str) -> None:
        """Let the day's recording be there."""
        for date in dates:
            (self.root / "recordings" / f"{date}.csv").write_text(recordings()[date])

    def begin(self) -> Place:
        """Put the sessions before the week into the store."""
        self.record(*days()[:4])
        report = ingest([str(self.root / "recordings")], Store(self.store))
        assert not report.failed
        return self

    def eod(self, day: str, *more: str, clock: str = "16:00") -> Callable[[], int]:
        """The command at a time of a day in India, ready to run."""

        def run() -> int:
            os.environ["OPTIQ_TEST_NOW"] = f"{day}T{clock}:00+05:30"
            try:
                return main(["eod", *more, "--config", str(self.root / "optiq.toml")])
            finally:
                del os.environ["OPTIQ_TEST_NOW"]

        return run

    def manifest(self, day: str) -> dict[str, Any]:
        path = self.store / "evenings" / day / "manifest.json"
        told: dict[str, Any] = json.loads(path.read_text())
        return told


APART = ("heartbeat.json", ".lock", ".gate")


def contents(*roots: Path) -> dict[str, str]:
    """The digest of every file below some folders, but locks and signs of life."""
    return {
        f"{root.name}/{path.relative_to(root)}": hashlib.sha256(path.read_bytes()).hexdigest()
        for root in roots
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in APART
    }


def differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """The files that are not in both, byte for byte."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
