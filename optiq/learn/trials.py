"""Every fit that was ever made of a kind, one line each: whoever tries often must say so."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optiq.errors import DamagedError
from optiq.learn import ledger_file, registry

TRIALS = "trials.jsonl"


@dataclass(frozen=True, slots=True)
class Trial:
    """One fit: when (UTC), of what configuration, and what its validation folds said.

    ``daily`` is the net result of each validation session by ISO date, for `overfitting`; it may
    be empty. ``metrics`` chose between trials: they are no evidence of worth.
    """

    time: str
    config_sha256: str
    config: Mapping[str, Any]
    metrics: Mapping[str, float | None]
    daily: Mapping[str, float]


def record(
    models: Path,
    kind: str,
    config: Mapping[str, Any],
    metrics: Mapping[str, float | None],
    *,
    daily: Mapping[str, float] | None = None,
    now: dt.datetime | None = None,
) -> Trial:
    """Write down one fit; it is on the disk when this returns."""
    text = json.dumps(config, sort_keys=True, allow_nan=False)
    trial = Trial(
        (now or dt.datetime.now(dt.UTC)).isoformat(timespec="seconds"),
        hashlib.sha256(text.encode()).hexdigest(),
        json.loads(text),
        dict(metrics),
        dict(daily or {}),
    )
    entry = {name: getattr(trial, name) for name in Trial.__slots__}
    ledger_file.append(registry.kind_folder(models, kind) / TRIALS, entry)
    return trial


def trials(models: Path, kind: str) -> list[Trial]:
    """Return every fit of a kind, oldest first."""
    path = registry.kind_folder(models, kind) / TRIALS
    try:
        return [Trial(**entry) for entry in ledger_file.read(path)]
    except TypeError as reason:
        raise DamagedError(f"{path}: not a ledger of trials") from reason


def distinct(tried: Sequence[Trial]) -> int:
    """Return how many different configurations were tried."""
    return len({trial.config_sha256 for trial in tried})
