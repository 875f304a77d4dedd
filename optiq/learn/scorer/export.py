"""A trained scorer for other programs; optiq itself never reads these files."""

from __future__ import annotations

import io
from pathlib import Path

from optiq.errors import InputError
from optiq.learn.scorer.model import ScorerModel
from optiq.market.durable import storage_error

SUFFIXES = (".txt", ".pkl", ".joblib")


def require_known(path: Path) -> None:
    """Refuse a file name whose ending says nothing about what to write."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"cannot export to {path.name!r}", f"name it *{', *'.join(SUFFIXES)}")


def export(model: ScorerModel, version: str, path: Path) -> None:
    """Write LightGBM's text (``.txt``), or a joblib file (``.pkl``, ``.joblib``).

    The joblib file holds a dictionary: ``model`` (a `lightgbm.Booster`), ``calibration`` (kind, x,
    y), ``features`` (the ordered names), ``rule``, ``underlyings`` and ``version``. Whoever loads
    one runs whatever it holds, so load only what you made yourself.
    """
    require_known(path)
    content = model.trees.encode() if path.suffix == ".txt" else _joblib(model, version)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as reason:
        raise storage_error(path, reason, option="--output") from reason


def _joblib(model: ScorerModel, version: str) -> bytes:
    import joblib

    question = model.question.to_json()
    held = {
        "version": version,
        "model": model.booster,
        "calibration": model.calibration.to_json(),
        **{name: question[name] for name in ("features", "rule", "exits", "underlyings")},
    }
    content = io.BytesIO()
    joblib.dump(held, content)
    return content.getvalue()
