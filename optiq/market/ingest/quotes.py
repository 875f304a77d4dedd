"""Quotes gathered from a document one by one, and turned into columns at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from optiq.market.day_arrays import Columns
from optiq.market.ingest.batch import BrokenRow
from optiq.market.ingest.numbers import numbers, shown
from optiq.market.schema import PRICES, AnyArray, BoolArray, IntArray

ZERO_IS_NONE = frozenset((*PRICES, "iv", "spot"))
"""Every known vendor writes 0 where there is no such price or volatility."""


class Quotes:
    """The legs of one document: their keys, and a mapping of each one's other numbers."""

    def __init__(self) -> None:
        self.row: list[int] = []
        self.expiry: list[np.datetime64] = []
        self.strike: list[object] = []
        self.right: list[int] = []
        self.values: list[Mapping[str, Any]] = []
        self.broken: list[BrokenRow] = []

    def add(
        self,
        row: int,
        expiry: np.datetime64,
        strike: object,
        right: int,
        values: Mapping[str, Any],
    ) -> None:
        """Take one quote; ``row`` is its line or position in the document."""
        self.row.append(row)
        self.expiry.append(expiry)
        self.strike.append(strike)
        self.right.append(right)
        self.values.append(values)

    def refuse(self, row: int, reason: str, value: object) -> None:
        """Take note of a row that no reading could save."""
        self.broken.append(BrokenRow(row, reason, shown(value)))

    def columns(self, names: Mapping[str, str]) -> tuple[Columns, IntArray]:
        """Return the store's columns, by what the source calls them, and the row numbers.

        A quote with a cell that is no number becomes a broken row and leaves the columns;
        ``previous_oi``, which is no column of the store, becomes ``oi_change``.
        """
        keep = np.ones(len(self.row), dtype=np.bool_)
        found: Columns = {"strike": self._numbers("strike", self.strike, keep)}
        for column, name in names.items():
            cells = [values.get(name) for values in self.values]
            found[column] = self._numbers(name, cells, keep)
        self._refuse_strikes(found["strike"], keep)
        if "previous_oi" in found:
            found["oi_change"] = found["oi"] - found.pop("previous_oi")
        found["expiry"] = np.array(self.expiry, dtype="datetime64[D]")
        found["right"] = np.array(self.right, dtype=np.int8)
        for column in ZERO_IS_NONE & found.keys():
            found[column] = np.where(found[column] == 0, np.nan, found[column])
        rows = np.array(self.row, dtype=np.int64)
        return {column: values[keep] for column, values in found.items()}, rows[keep]

    def _numbers(self, name: str, cells: list[object], keep: BoolArray) -> AnyArray:
        found, reasons = numbers(cells)
        for position, reason in reasons.items():
            if keep[position]:
                self.refuse(self.row[position], f"{name}: {reason}", cells[position])
                keep[position] = False
        return found

    def _refuse_strikes(self, strike: AnyArray, keep: BoolArray) -> None:
        for position in np.flatnonzero(keep & ~(strike > 0)):
            reason = f"strike {shown(self.strike[position])} is no price level"
            self.refuse(self.row[position], reason, self.strike[position])
            keep[position] = False
