"""One batch put right: UTC, units, fractions, missing as NaN; what cannot be is refused by name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from optiq.errors import InputError, RuleError
from optiq.market import calendar
from optiq.market.contracts import lot_sizes
from optiq.market.day_arrays import Columns, n_quotes, take
from optiq.market.ingest.batch import Batch, Clock, Unit
from optiq.market.ingest.clock import to_utc
from optiq.market.ingest.index_names import index_name
from optiq.market.ingest.units import counts_contracts, volatility_fraction
from optiq.market.schema import (
    GREEKS,
    IST_OFFSET,
    PRICES,
    QUANTITIES,
    UNDERLYINGS,
    AnyArray,
    BoolArray,
    IntArray,
    TimeArray,
)

_LARGEST_PRICE = 1e6
_COPIED = (
    "ts",
    "expiry",
    "strike",
    "right",
    *PRICES,
    *QUANTITIES,
    "spot",
    "received_ts",
    "is_chain",
)


@dataclass(frozen=True, slots=True)
class Refused:
    """Rows that go to quarantine together; ``underlying`` or ``date`` is None where unreadable.

    ``columns`` holds ``row_number`` and whatever could be read; ``other`` the stored values that
    a conflicting row disagrees with.
    """

    underlying: str | None
    date: dt.date | None
    reason: str
    columns: Columns
    texts: tuple[str, ...] = ()
    other: Columns = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["row_number"])


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one source that belong to one underlying and session."""

    underlying: str
    date: dt.date
    columns: Columns


@dataclass
class Normalised:
    """What became of one batch."""

    chunks: list[Chunk] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    left_out: int = 0


def normalise(batch: Batch, clock: Clock, tz: str | None, only: str | None) -> Normalised:
    """Split a batch by underlying and session, in the store's units.

    ``only`` leaves rows of other underlyings out where the source says whose each row is.
    """
    outcome = Normalised(left_out=batch.left_out)
    for broken in batch.broken:
        outcome.refused.append(_refuse_broken(broken.row_number, broken.reason, broken.text))
    for underlying, rows in _by_underlying(batch):
        if only is not None and underlying != only:
            outcome.left_out += n_quotes(rows)
        elif underlying not in UNDERLYINGS:
            outcome.refused.append(Refused(None, None, _whose(underlying), rows))
        else:
            _split_sessions(underlying, rows, batch, clock, tz, outcome)
    return outcome


def _whose(underlying: str) -> str:
    return f"{underlying!r} is none of {', '.join(UNDERLYINGS)}"


def _refuse_broken(row_number: int, reason: str, text: str) -> Refused:
    return Refused(None, None, reason, {"row_number": np.array([row_number])}, (text,))


def _by_underlying(batch: Batch) -> Iterator[tuple[str, Columns]]:
    columns = _own_columns(batch)
    if batch.underlying is not None:
        yield index_name(batch.underlying), columns
        return
    if "underlying" not in batch.columns:
        raise InputError(f"{batch.source}: does not say whose options these are", "--underlying")
    codes, names = _factorized(batch.columns["underlying"])
    for code, name in enumerate(names):
        chosen = codes == code
        yield name, columns if chosen.all() else take(columns, chosen)


def _factorized(names: AnyArray) -> tuple[AnyArray, list[str]]:
    """Return a code per row and our name of each code; equal indices share one code."""
    import pandas as pd

    codes, distinct = pd.factorize(names, use_na_sentinel=False)
    ours = [index_name(name) for name in distinct]
    unique = list(dict.fromkeys(ours))
    return np.array([unique.index(name) for name in ours], np.int64)[codes], unique


def _own_columns(batch: Batch) -> Columns:
    given = batch.columns
    columns = {name: given[name] for name in _COPIED if name in given}
    columns |= {f"{name}_vendor": given[name] for name in GREEKS if name in given}
    rows = len(given["ts"])
    numbers = batch.row_number if batch.row_number is not None else np.arange(rows)
    columns["row_number"] = np.asarray(numbers, np.int64)
    return columns


def _split_sessions(
    underlying: str,
    rows: Columns,
    batch: Batch,
    clock: Clock,
    tz: str | None,
    outcome: Normalised,
) -> None:
    rows["ts"] = to_utc(rows["ts"], clock, tz)
    if "received_ts" in rows:
        rows["received_ts"] = to_utc(rows["received_ts"], clock, tz)
    rows = _refuse(underlying, None, rows, _unreadable(rows), outcome)
    days = _indian_day(rows["ts"])
    for day in np.unique(days):
        chosen = days == day
        date: dt.date = day.item()
        own = rows if chosen.all() else take(rows, chosen)
        own = _refuse(underlying, date, own, _out_of_place(underlying, date, own), outcome)
        if n_quotes(own):
            outcome.chunks.append(Chunk(underlying, date, _in_units(underlying, date, own, batch)))


def _indian_day(ts: TimeArray) -> TimeArray:
    return (ts + IST_OFFSET).astype("datetime64[D]")


Tests = tuple[tuple[str, BoolArray], ...]


def _unreadable(rows: Columns) -> Tests:
    """Return why rows are no quotes; the first reason that holds is the one written down."""
    prices = [rows[name] for name in PRICES if name in rows]
    amounts = [rows[name] for name in ("bid_qty", "ask_qty", "volume", "oi") if name in rows]
    return (
        ("no readable time", np.isnat(rows["ts"])),
        ("no readable expiry", np.isnat(rows["expiry"])),
        ("neither call nor put", rows["right"] == 0),
        ("no positive strike", ~(rows["strike"] > 0)),
        ("a negative price", _any_below(prices, 0.0)),
        ("a price of a million rupees or more", _any_below([-p for p in prices], -_LARGEST_PRICE)),
        ("a negative quantity", _any_below(amounts, 0.0)),
    )


def _any_below(arrays: list[AnyArray], bound: float) -> BoolArray:
    below: BoolArray = np.zeros(1, np.bool_)  # of one row: it spreads over whatever comes
    for values in arrays:
        below = below | (values < bound)
    return below


def _out_of_place(underlying: str, date: dt.date, rows: Columns) -> Tests:
    ts = rows["ts"]
    everything = np.ones(len(ts), np.bool_)
    hours = _session_hours(underlying, date)
    if isinstance(hours, str):
        return ((hours, everything),)
    opens, closes, words = hours
    copied = np.zeros(len(ts), np.bool_)
    if "received_ts" in rows:
        received = _indian_day(rows["received_ts"])
        copied = ~np.isnat(received) & (received != np.datetime64(date))
    return (
        ("received on another day: a stale copy (holiday copy)", copied),
        (f"outside the session ({words})", (ts < opens) | (ts > closes)),
        ("expired before the session", rows["expiry"] < np.datetime64(date)),
    )


@lru_cache(maxsize=4096)
def _session_hours(
    underlying: str, date: dt.date
) -> tuple[np.datetime64, np.datetime64, str] | str:
    try:
        if not calendar.is_session(date, underlying):
            return "not a session (holiday copy)"
        session = calendar.session(date, underlying)
    except RuleError as unknown:
        return f"session hours unknown: {unknown}"
    words = f"{calendar.clock(session.open_minute)}-{calendar.clock(session.close_minute)}"
    return session.open_utc, session.close_utc, words


def _refuse(
    underlying: str, date: dt.date | None, rows: Columns, tests: Tests, outcome: Normalised
) -> Columns:
    """Move rows that fail a test to the outcome's refused, and return the others."""
    good = np.ones(n_quotes(rows), np.bool_)
    for reason, failing in tests:
        bad = good & failing
        if bad.any():
            outcome.refused.append(Refused(underlying, date, reason, take(rows, bad)))
            good &= ~bad
    return rows if good.all() else take(rows, good)


def _in_units(underlying: str, date: dt.date, rows: Columns, batch: Batch) -> Columns:
    rows = dict(rows)
    for name in (*PRICES, "spot"):
        if name in rows:
            rows[name] = np.where(rows[name] > 0, rows[name], np.nan)
    if "iv_vendor" in rows:
        rows["iv_vendor"] = volatility_fraction(rows["iv_vendor"], batch.iv_unit)
    _scale(underlying, date, rows, ("volume",), batch.volume_unit)
    _scale(underlying, date, rows, ("oi", "oi_change"), batch.oi_unit)
    return rows


def _scale(
    underlying: str, date: dt.date, rows: Columns, names: tuple[str, ...], stated: Unit
) -> None:
    """Turn contracts into units, snapshot by snapshot; the first of ``names`` decides."""
    leading = next((name for name in names if name in rows), None)
    if leading is None or stated == "units" or not np.isfinite(rows[leading]).any():
        return
    lot = _lots(underlying, date, rows["expiry"])
    snapshot = _snapshot_index(rows["ts"])
    contracts = counts_contracts(rows[leading], lot, snapshot, stated)
    whole = np.bincount(snapshot, weights=contracts)[snapshot] > 0
    for name in names:
        if name in rows:
            rows[name] = np.where(whole, rows[name] * lot, rows[name])


def _snapshot_index(ts: TimeArray) -> IntArray:
    index: IntArray = np.unique(ts, return_inverse=True)[1]
    return index


def _lots(underlying: str, date: dt.date, expiry: TimeArray) -> IntArray:
    expiries, place = np.unique(expiry.astype("datetime64[D]"), return_inverse=True)
    lots: IntArray = lot_sizes(underlying, expiries, date)[place]
    return lots
