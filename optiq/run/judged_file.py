"""A judged ledger as a file: every column it came with, and the truth beside them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from optiq.run.judged import Judged, Repriced

_MONEY = ("entry_price", "exit_price", "gross_pnl", "charges", "net_pnl")


def write_judged(result: Repriced, path: Path) -> None:
    """Write the ledger as CSV, in its own order, whole or not at all.

    Added are ``read_as`` (the clock of its naive times), ``entry_ts`` and ``exit_ts`` (UTC), the
    ``true_`` prices and rupees, ``unpriced`` (why there are none), ``faults`` and ``evidence``. A
    column that already has one of these names gives way.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.tmp")
    rows = list(_rows(result))
    try:
        with half.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _rows(result: Repriced) -> Iterator[dict[str, Any]]:
    for booked, judged in zip(result.ledger.table.to_pylist(), result.trades, strict=True):
        yield {**booked, **_added(judged)}


def _added(judged: Judged) -> dict[str, str]:
    return {
        "read_as": judged.reading,
        "entry_ts": _utc(judged.entry_utc),
        "exit_ts": _utc(judged.exit_utc),
        **{f"true_{name}": _two_decimals(getattr(judged, name)) for name in _MONEY},
        "unpriced": judged.unpriced,
        "faults": " ".join(fault.name for fault in judged.faults),
        "evidence": " | ".join(f"{fault.name}: {fault.evidence}" for fault in judged.faults),
    }


def _utc(moment: np.datetime64) -> str:
    return "" if np.isnat(moment) else f"{moment.astype('datetime64[s]')}Z"


def _two_decimals(rupees: float) -> str:
    return "" if np.isnan(rupees) else f"{rupees:.2f}"
