"""An old ledger beside the recorded chain: what each trade would have filled at, and cost."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np

from optiq.market.store import Store
from optiq.run.backtest import Settings
from optiq.run.chain_evidence import Advance, Ask, Asked, Evidence, gather, what_to_ask
from optiq.run.charges_due import ChargesDue, lot_of
from optiq.run.ledger_case import Case, Fault, Flag, Leg, days_of, is_open
from optiq.run.ledger_clock import LedgerClock, Reading, ledger_clock
from optiq.run.ledger_faults import faults_of
from optiq.run.old_ledger import BookedTrade, Ledger
from optiq.trade.book import PAISE

MOST_UNITS = 10**9
MOST_RUPEES = 10**8
"""Nothing beyond is an index option's quantity or price; money stays in 64 bits."""

NO_TRUTH = (
    *(Flag.UNREADABLE, Flag.NOT_CLOSED, Flag.IMPOSSIBLE_TIME, Flag.EXIT_BEFORE_ENTRY),
    *(Flag.UNKNOWN_CONTRACT, Flag.NO_DATA),
)
"""With one of these there is no true figure to put beside the booked one."""


@dataclass(frozen=True, slots=True)
class TrueTrade:
    """What a booked trade would have come to: prices and money in paise, times UTC."""

    entry_paise: int
    exit_paise: int
    entry_ts: np.datetime64
    exit_ts: np.datetime64
    gross_paise: int
    charges_paise: int

    @property
    def net_paise(self) -> int:
        """Gross less charges."""
        return self.gross_paise - self.charges_paise


@dataclass(frozen=True, slots=True)
class JudgedTrade:
    """A booked trade, its faults, and what it would have come to.

    ``true`` is None where that cannot be said; ``unpriced`` then says why.
    """

    case: Case
    faults: tuple[Fault, ...]
    true: TrueTrade | None
    unpriced: str

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The names of its faults."""
        return tuple(fault.flag for fault in self.faults)


@dataclass(frozen=True, slots=True)
class Judged:
    """A whole ledger judged; days are (underlying, date), ``unsure`` the charges in doubt."""

    ledger: Ledger
    clock: LedgerClock
    trades: list[JudgedTrade]
    days_read: list[tuple[str, dt.date]]
    days_missing: list[tuple[str, dt.date]]
    unsure: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repricing:
    """A ledger read and its clock told: ready to be put beside the chain of ``n_days`` days."""

    ledger: Ledger
    clock: LedgerClock
    asked: Asked

    @classmethod
    def of(cls, ledger: Ledger, tz: str = "auto") -> Repricing:
        """Tell a ledger's clock and find the days to ask."""
        clock = ledger_clock(ledger.trades, tz)
        return cls(ledger, clock, what_to_ask(ledger.trades, clock))

    @property
    def n_days(self) -> int:
        """Number of days that trades fall on."""
        return len(self.asked)

    def judge(self, store: Store, settings: Settings, advance: Advance | None = None) -> Judged:
        """Put each trade beside what the chain would have filled; each stored day is read once.

        An entry fills, or expires, as the walk's do when the order is given at the booked moment;
        an exit waits. ``advance`` is told of each day.
        """
        trades, clock = self.ledger.trades, self.clock
        evidence = gather(trades, clock, self.asked, store, settings.walk, advance)
        charges = ChargesDue(settings.broker)
        judged = [
            _judged(_case(number, trade, clock, evidence, charges), charges)
            for number, trade in enumerate(trades)
        ]
        days = (evidence.days_read, evidence.days_missing)
        return Judged(self.ledger, clock, judged, *days, tuple(charges.unsure))


def _case(
    number: int, trade: BookedTrade, clock: LedgerClock, evidence: Evidence, charges: ChargesDue
) -> Case:
    readings = clock.readings[number]
    legs = [
        (evidence.legs.get(Ask(number, place, False)), evidence.legs.get(Ask(number, place, True)))
        for place in range(len(readings))
    ]
    chosen, is_told = _chosen(trade, clock, readings, legs)
    reading, days = readings[chosen], days_of(readings[chosen])
    case = Case(trade, reading, clock, *legs[chosen], days, clock_is_told=is_told)
    if trade.contract is None or days is None:
        return case
    unlisted = (evidence.unlisted.get((trade.contract, day), "") for day in days)
    return replace(
        case,
        unlisted=next(filter(None, unlisted), ""),
        lot=lot_of(trade.contract, days[0]),
        due=_due(case, charges),
    )


def _chosen(
    trade: BookedTrade,
    clock: LedgerClock,
    readings: tuple[Reading, ...],
    legs: list[tuple[Leg | None, Leg | None]],
) -> tuple[int, bool]:
    """Return which reading to believe, and whether anything told.

    The session decides; where it allows both, the prices. A trade that fits its session in the
    ledger's unusual zone only is read so unless the chain then contradicts all its prices; one
    that fits in both, where its prices agree with the unusual zone wholly and with the usual not.
    """
    if len(readings) == 1:
        return 0, True
    (usual_right, usual_asked), (other_right, other_asked) = (_agreeing(trade, two) for two in legs)
    if not readings[0].fits:
        contradicted = other_asked > 0 and other_right == 0
        return (0 if contradicted and clock.zone != "unknown" else 1), True
    if usual_right < usual_asked and 0 < other_asked == other_right and readings[1].in_order:
        return 1, True
    is_told = clock.zone != "unknown" or (other_right < other_asked and usual_right == usual_asked)
    return 0, is_told


def _agreeing(trade: BookedTrade, legs: tuple[Leg | None, Leg | None]) -> tuple[int, int]:
    """Return how many of a trade's prices the chain allows, of how many it can judge."""
    prices = (trade.entry_price, trade.exit_price)
    judged = [
        leg.around.allows(price)
        for leg, price in zip(legs, prices, strict=True)
        if leg is not None and leg.around is not None and price == price
    ]
    return sum(judged), len(judged)


def _units(trade: BookedTrade) -> int | None:
    """Return a quantity that orders can have, None where it is none."""
    whole = 0 < trade.quantity <= MOST_UNITS and trade.quantity == round(trade.quantity)
    return int(trade.quantity) if whole else None


def _due(case: Case, charges: ChargesDue) -> tuple[int, int] | None:
    """Return the charges of the two orders at their booked prices, in paise; None where unknown."""
    trade = case.trade
    prices = (trade.entry_price, trade.exit_price)
    if is_open(trade) or not all(0 <= price <= MOST_RUPEES for price in prices):
        return None
    return _charged(case, charges, (round(PAISE * prices[0]), round(PAISE * prices[1])))


def _charged(
    case: Case, charges: ChargesDue, prices_paise: tuple[int, int]
) -> tuple[int, int] | None:
    """Return what entering and leaving cost, in paise, on the days they happened."""
    trade, units, days = case.trade, _units(case.trade), case.days
    if trade.contract is None or units is None or days is None:
        return None
    sides = (trade.side, -trade.side)
    entry, leave = (
        charges.paise(trade.contract, day, side, units, price)
        for day, side, price in zip(days, sides, prices_paise, strict=True)
    )
    return None if entry is None or leave is None else (entry, leave)


def _judged(case: Case, charges: ChargesDue) -> JudgedTrade:
    faults = faults_of(case)
    untold = [fault.flag.value for fault in faults if fault.flag in NO_TRUTH]
    if untold:
        return JudgedTrade(case, faults, None, ", ".join(untold))
    units = _units(case.trade)
    if units is None:
        return JudgedTrade(case, faults, None, Flag.WRONG_LOT.value)
    entry, leave = (None if leg is None else leg.fill for leg in (case.entry, case.exit))
    if entry is None or leave is None:
        return JudgedTrade(case, faults, None, Flag.NO_DATA.value)
    if leave.ts < entry.ts:
        return JudgedTrade(case, faults, None, "the chain would have filled the exit first")
    charged = _charged(case, charges, (entry.paise, leave.paise))
    if charged is None:
        return JudgedTrade(case, faults, None, "no row of charges.csv covers its date")
    gross = case.trade.side * (leave.paise - entry.paise) * units
    true = TrueTrade(entry.paise, leave.paise, entry.ts, leave.ts, gross, sum(charged))
    return JudgedTrade(case, faults, true, "")
