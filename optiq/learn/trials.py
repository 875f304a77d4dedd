"""Every fit that was ever made of a kind, one line each: whoever tries often must say so."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from optiq.errors import DamagedError
from optiq.learn import ledger_file, overfitting, registry

TRIALS = "trials.jsonl"
SELECTION = ("sessions", "effective_trials", "deflated_sharpe", "overfitting")


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
    """Write down one fit; it is on the disk when this returns.

    A fit that says exactly what an earlier one said is that one, made again: it is no further try.
    """
    text = json.dumps(config, sort_keys=True, allow_nan=False)
    trial = Trial(
        (now or dt.datetime.now(dt.UTC)).isoformat(timespec="seconds"),
        hashlib.sha256(text.encode()).hexdigest(),
        json.loads(text),
        dict(metrics),
        dict(daily or {}),
    )
    if any(replace(trial, time=earlier.time) == earlier for earlier in trials(models, kind)):
        return trial
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


def selection(tried: Sequence[Trial]) -> dict[str, Any]:
    """Return for a card's ``trials`` how much choosing there was, and what is left of the best.

    ``fits`` and ``configurations`` count all. Where at least two configurations have daily results
    over 32 common sessions: ``sessions``, ``effective_trials``, ``deflated_sharpe`` (the
    probability that the best is more than luck among so many) and ``overfitting`` (see
    `overfitting.probability_of_overfitting`); None where that is not known. Of several fits of one
    configuration the last counts.
    """
    counts = {"fits": len(tried), "configurations": distinct(tried)}
    latest = {trial.config_sha256: trial.daily for trial in tried if trial.daily}
    days = sorted(set.intersection(*map(set, latest.values()))) if latest else []
    if len(latest) < 2 or len(days) < 2 * overfitting.BLOCKS:
        return counts | dict.fromkeys(SELECTION)
    daily = np.array([[one[day] for one in latest.values()] for day in days], np.float64)
    best = overfitting.best_of(daily)
    found = (
        best.sessions,
        best.trials,
        best.deflated,
        overfitting.probability_of_overfitting(daily),
    )
    return counts | dict(zip(SELECTION, found, strict=True))
