"""Small models for tests of what surrounds models: files, a card, and evidence that holds."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np

from optiq.learn import registry
from optiq.learn.measured import Evidence, Measured
from optiq.learn.validate import Interval

FEATURES = ("return_5m", "atm_iv", "moneyness")
NOW = dt.datetime(2025, 12, 1, 12, 0, tzinfo=dt.UTC)


def evidence(rows: int = 54_000, sessions: int = 24, **other: Any) -> Evidence:
    """Return evidence of tests in October and November 2025."""
    values = {
        "split": "walk-forward, 4 folds",
        "rows": rows,
        "sessions": sessions,
        "first": dt.date(2025, 10, 14),
        "last": dt.date(2025, 11, 20),
        "fitted_until": np.datetime64("2025-10-10T10:00"),
        "tested_from": np.datetime64("2025-10-14T03:50"),
        "data_sha256": "d" * 64,
        "model_sha256": "e" * 64,
        "code": "optiq 0.1.0",
    }
    return Evidence(**values | other)


def measured(metric: str, value: float, low: float, high: float, **other: Any) -> Measured:
    """Return one figure over 24 sessions."""
    return Measured(metric, Interval(value, low, high, 24), evidence(**other))


def card(seen: str = "2025-11-20", features: tuple[str, ...] = FEATURES) -> dict[str, Any]:
    """Return a card as a training would write it."""
    proof = evidence().to_json()
    deciles = [
        {"decile": n, "net": 40.0 * n - 250, "low": 40.0 * n - 330, "high": 40.0 * n - 170}
        | {"trades": 5_400}
        for n in range(1, 11)
    ]
    bins = [
        {"predicted": n / 10 + 0.05, "observed": 0.3 + n / 25, "low": 0.25 + n / 25}
        | {"high": 0.35 + n / 25, "rows": 5_400}
        for n in range(2, 7)
    ]
    return {
        "underlyings": ["NIFTY"],
        "sessions": {"first": "2025-08-01", "last": seen, "n": 75},
        "seen_until": seen,
        "features": list(features),
        "features_hash": registry.features_hash(features),
        "label": "net profit of buying it, alone, until +15 % or -10 %",
        "walk": {"latency_s": 1.0, "max_wait_s": 120.0},
        "splits": "walk-forward by session, 4 folds, purged by label end, 1 session embargoed",
        "rows": {"train": 160_000, "calibrate": 40_000, "test": 54_000},
        "figures": [
            measured("AUC", 0.541, 0.519, 0.563).to_json(),
            measured("Brier skill", 0.004, -0.001, 0.009).to_json(),
        ],
        "baselines": {
            "base rate": [measured("AUC", 0.5, 0.49, 0.51).to_json()],
            "moneyness only": [measured("AUC", 0.522, 0.503, 0.541).to_json()],
        },
        "tables": {
            "reliability": {"evidence": proof, "rows": bins},
            "deciles": {"evidence": proof, "rows": deciles},
        },
        "audit": [{"check": "truncation", "passed": True, "says": "0 of 200 cuts differ"}],
        "trials": {"fits": 12, "configurations": 12, "overfitting": None},
        "importance": [
            {"feature": name, "share": 0.5 / (n + 1)} for n, name in enumerate(features)
        ],
        "limits": ["paper fills", "one venue", "75 sessions of one regime"],
        "intended_use": "ranking contracts to buy under the exit rule it learnt",
        "hashes": {"data": "d" * 64, "code": "optiq 0.1.0"},
    }


FILES = {
    "model.txt": b"tree\nversion=v4\n" + b"leaf_value=0.25 0.5\n" * 40,
    "calibrator.json": b"{}",
}


def save(root: Path, kind: str = "scorer", files: Any = FILES, **changes: Any) -> str:
    """Store one model and return its version, another one for each call."""
    return registry.save(root, kind, files, card() | changes, now=NOW, reuse=False)


def promote(root: Path, version: str, takes_effect: str, kind: str = "scorer") -> None:
    """Let a version serve from a day on."""
    registry.promote(
        root, kind, version, takes_effect=dt.date.fromisoformat(takes_effect), reason="gate passed"
    )
