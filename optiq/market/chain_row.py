"""One moment of quotes, as a feed delivers it and a journal keeps it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optiq.errors import DamagedError
from optiq.market.panel import Panel
from optiq.market.schema import FIELDS, AnyArray, FloatArray, IntArray, TimeArray

_FORMAT = 1


class Contract(NamedTuple):
    """One option: expiry (datetime64[D]), strike in rupees, +1 call / -1 put."""

    expiry: np.datetime64
    strike: float
    right: int


@dataclass(frozen=True, slots=True)
class ChainRow:
    """The quotes of one poll: a chain snapshot, or a monitor row of some contracts.

    Attributes
    ----------
    ts : datetime64[us]
        When the latest of its quotes was observed, UTC.
    known : datetime64[us]
        When it could be acted on: the later of ``ts`` and its arrival.
    is_chain
        Monitor rows mark, exit and fill; they decide no entry.
    spot
        Underlying in rupees; NaN where the row has none.
    expiry, strike, right : (n,)
        datetime64[D], rupees, +1 call / -1 put; each contract once.
    fields : (n,) float32 by name
        The store's per-quote fields in its units; what is left out is NaN.
    """

    ts: np.datetime64
    known: np.datetime64
    is_chain: bool
    spot: float
    expiry: TimeArray
    strike: FloatArray
    right: IntArray
    fields: Mapping[str, AnyArray]

    def __len__(self) -> int:
        return len(self.strike)

    def to_bytes(self) -> bytes:
        """Return the row as bytes; the same row always gives the same."""
        head = {
            "format": _FORMAT,
            "ts": int(self.ts.astype("datetime64[us]").astype(np.int64)),
            "known": int(self.known.astype("datetime64[us]").astype(np.int64)),
            "is_chain": bool(self.is_chain),
            "contracts": len(self),
            "fields": sorted(self.fields),
        }
        arrays = (
            np.array([self.spot], "<f8"),
            self.expiry.astype("datetime64[D]").astype("<i4"),
            self.strike.astype("<f4"),
            self.right.astype("<i1"),
            *(np.asarray(self.fields[name], "<f4") for name in sorted(self.fields)),
        )
        body = b"".join(array.tobytes() for array in arrays)
        return zlib.compress(json.dumps(head).encode() + b"\n" + body, 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> ChainRow:
        """Read what `to_bytes` wrote; `DamagedError` where it is something else."""
        try:
            head_text, _, body = zlib.decompress(data).partition(b"\n")
            head = json.loads(head_text)
            return cls._read(head, body)
        except (zlib.error, ValueError, KeyError, TypeError) as error:
            raise DamagedError(f"a journaled row cannot be read: {error}") from error

    @classmethod
    def _read(cls, head: dict[str, object], body: bytes) -> ChainRow:
        if head["format"] != _FORMAT:
            raise ValueError(f"its format is {head['format']}, not {_FORMAT}")
        n, at, names = int(str(head["contracts"])), 0, list(head["fields"])  # type: ignore[call-overload]

        def take(kind: str, count: int) -> AnyArray:
            nonlocal at
            values = np.frombuffer(body, kind, count, at)
            at += values.nbytes
            return values

        spot = float(take("<f8", 1)[0])
        expiry = take("<i4", n).astype("datetime64[D]")
        strike, right = take("<f4", n).astype(np.float64), take("<i1", n).astype(np.int64)
        fields = {name: take("<f4", n) for name in names}
        return cls(
            ts=np.datetime64(head["ts"], "us"),  # type: ignore[call-overload]
            known=np.datetime64(head["known"], "us"),  # type: ignore[call-overload]
            is_chain=bool(head["is_chain"]),
            spot=spot,
            expiry=expiry,
            strike=strike,
            right=right,
            fields=fields,
        )


def rows_of(panel: Panel) -> list[ChainRow]:
    """Return a day as the rows that made it; a contract is in those rows where it was quoted.

    Fields are as the store keeps them, so that appending the rows gives the panel again.
    """
    quoted = panel.observed
    for name in FIELDS:
        quoted = quoted | ~np.isnan(panel.fields[name])
    by_row = {name: np.ascontiguousarray(panel.fields[name], np.float32) for name in FIELDS}
    return [_row(panel, row, np.flatnonzero(quoted[row]), by_row) for row in range(panel.n_rows)]


def _row(panel: Panel, row: int, columns: IntArray, by_row: Mapping[str, AnyArray]) -> ChainRow:
    picked = {name: values[row, columns] for name, values in by_row.items()}
    return ChainRow(
        ts=panel.ts[row],
        known=panel.known[row],
        is_chain=bool(panel.is_chain[row]),
        spot=float(panel.spot[row]),
        expiry=panel.expiry[columns],
        strike=panel.strike[columns],
        right=panel.right[columns],
        fields={name: values for name, values in picked.items() if not np.isnan(values).all()},
    )
