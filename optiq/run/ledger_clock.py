"""Which clock an old ledger was kept in: told for the ledger, decided trade by trade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optiq.errors import InputError
from optiq.market.ingest.batch import Clock
from optiq.market.ingest.clock import in_session, zone_by
from optiq.market.schema import IST_OFFSET, AnyArray, BoolArray, TimeArray
from optiq.run.old_ledger import BookedMoment, BookedTrade

ZONES = ("auto", "Asia/Kolkata", "UTC")
_SAID: dict[str, Clock] = {"Asia/Kolkata": "IST", "UTC": "UTC"}
_CLOCKS: tuple[Clock, ...] = ("IST", "UTC")


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a trade's two moments.

    Attributes
    ----------
    clock
        What its moments without a zone were taken for.
    entry, exit
        UTC; NaT where the text could not be read.
    fits
        Whether every moment that can be read lies in the hours of its day.
    """

    clock: Clock
    entry: np.datetime64
    exit: np.datetime64
    fits: bool

    @property
    def in_order(self) -> bool:
        """Whether it left when it had entered; not where one of the two cannot be read."""
        return bool(self.exit >= self.entry)


@dataclass(frozen=True, slots=True)
class LedgerClock:
    """What the whole ledger says of its clock.

    ``zone`` is what its moments together speak for, or the user said (``asked``); ``naive`` of
    them carry no zone, ``only_ist`` and ``only_utc`` lie in the session under one zone only;
    ``readings`` are those possible of each trade: by the ledger's usual clock, and by the other one
    where the trade then fits its session.
    """

    zone: Clock
    asked: bool
    naive: int
    only_ist: int
    only_utc: int
    readings: list[tuple[Reading, ...]]

    @property
    def word(self) -> str:
        """The ledger's clock in a word: IST, UTC, zoned, mixed or unknown."""
        if not self.naive:
            return "zoned"
        return "mixed" if self.zone == "unknown" and self.only_ist + self.only_utc else self.zone

    @property
    def usual(self) -> Clock:
        """The clock of a moment about which nothing else is known: the exchange's own."""
        return "UTC" if self.zone == "UTC" else "IST"


def ledger_clock(trades: Sequence[BookedTrade], tz: str = "auto") -> LedgerClock:
    """Read every trade's moments, in every zone that its session allows.

    Moments that lie in the session under one zone only speak for it, as in ingest; a trade that
    fits under one zone only is read so, whatever the others say.
    """
    if tz not in ZONES:
        raise InputError(f"--tz: no zone {tz!r}", f"write {', '.join(ZONES)}")
    moments = _Moments.of(trades)
    only_ist = int((moments.naive & moments.fits["IST"] & ~moments.fits["UTC"]).sum())
    only_utc = int((moments.naive & moments.fits["UTC"] & ~moments.fits["IST"]).sum())
    zone = _SAID.get(tz) or zone_by(only_ist, only_utc)
    clock = LedgerClock(zone, tz != "auto", int(moments.naive.sum()), only_ist, only_utc, [])
    clock.readings.extend(_possible(moments, row, clock) for row in range(len(trades)))
    return clock


@dataclass(frozen=True, slots=True)
class _Moments:
    """The entries and exits of all trades as written, (n, 2); those with a zone are in UTC.

    ``fits`` tells which lie in their day's hours, the naive ones read by the clock it is named by.
    """

    written: TimeArray
    naive: BoolArray
    fits: dict[Clock, BoolArray]

    @classmethod
    def of(cls, trades: Sequence[BookedTrade]) -> _Moments:
        booked = [(trade.entry, trade.exit) for trade in trades]
        written = np.array([[_time(one) for one in pair] for pair in booked])
        naive = np.array([[_is_naive(one) for one in pair] for pair in booked])
        names = np.array([t.contract.underlying if t.contract else "NIFTY" for t in trades])
        fits: dict[Clock, BoolArray] = {}
        for clock in _CLOCKS:
            local = np.where(naive & (clock == "IST"), written, written + IST_OFFSET)
            fits[clock] = _in_sessions(local, names)
        return cls(written, naive, fits)

    def read(self, row: int, clock: Clock) -> Reading:
        """Return one trade's moments, the naive ones read by ``clock``."""
        utc = self.written[row] - IST_OFFSET * (self.naive[row] & (clock == "IST"))
        fits = bool((self.fits[clock][row] | np.isnat(utc)).all())
        return Reading(clock, utc[0], utc[1], fits)


def _possible(moments: _Moments, row: int, clock: LedgerClock) -> tuple[Reading, ...]:
    usual = moments.read(row, clock.usual)
    if clock.asked or not moments.naive[row].any():
        return (usual,)
    other = moments.read(row, "IST" if clock.usual == "UTC" else "UTC")
    return (usual, other) if other.fits else (usual,)


def _in_sessions(local: TimeArray, underlyings: AnyArray) -> BoolArray:
    fits = np.zeros(local.shape, np.bool_)
    for name in np.unique(underlyings):
        rows = underlyings == name
        fits[rows] = in_session(local[rows].ravel(), str(name)).reshape(-1, 2)
    return fits


def _is_naive(booked: BookedMoment) -> bool:
    return booked.found is not None and booked.found.clock == "unknown"


def _time(booked: BookedMoment) -> np.datetime64:
    if booked.found is None:
        return np.datetime64("NaT", "us")
    time = booked.found.time
    return time - IST_OFFSET if booked.found.clock == "IST" else time
