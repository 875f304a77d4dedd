"""A sign of life while an evening runs: what is under way, and when that was last said."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optiq.learn.evening.manifest import FOLDER, Manifest

NAME = "heartbeat.json"
EVERY_S = 1.0


class Heartbeat:
    """Writes ``evenings/heartbeat.json``, at most once a second a step; it is no record."""

    def __init__(
        self,
        store: Path,
        now: Callable[[], dt.datetime],
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._now, self._stopwatch = store / FOLDER / NAME, now, stopwatch
        self._step, self._due = "", -float("inf")

    def __call__(self, manifest: Manifest, step: str) -> None:
        """Beat, if it is time or another step began; "" says that nothing is under way."""
        if step == self._step and self._stopwatch() < self._due:
            return
        self._step, self._due = step, self._stopwatch() + EVERY_S
        told = {
            "time": self._now().isoformat(timespec="seconds"),
            "process": os.getpid(),
            "evening": manifest.date.isoformat(),
            "step": step,
        }
        half = self._path.with_name(f".{NAME}.tmp")
        half.write_text(json.dumps(told) + "\n", encoding="utf-8")
        half.replace(self._path)


def read(store: Path) -> dict[str, Any] | None:
    """Return the last sign of life; None where there is none that can be read."""
    try:
        told: dict[str, Any] = json.loads((store / FOLDER / NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return told
