"""What can be wrong with a booked trade, each fault with its evidence in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optiq.errors import RuleError
from optiq.market.contracts import require_expiry
from optiq.market.schema import RIGHT_NAMES
from optiq.run.ledger_clock import why_outside
from optiq.run.ledger_money import dated_lot, to_paise
from optiq.run.ledger_quotes import Seen
from optiq.run.old_ledger import Booked, Stamp
from optiq.trade.priced_legs import day_of

CENT = 0.005
"""Rupees by which equal prices may differ in binary."""
CHARGES_TOLERANCE_PAISE = 100
SUMS_TOLERANCE = 0.05
_OPEN = {"OPEN", "ACTIVE", "PENDING", "RUNNING", "LIVE"}


@dataclass(frozen=True, slots=True)
class Case:
    """A booked trade with everything it is held against.

    Attributes
    ----------
    entry_utc, exit_utc
        Its moments as they were read; NaT where they cannot be.
    clock_evidence
        Why naive times were read as UTC; empty where they were not.
    entry, exit
        What the chain says at them; None where there was nothing to ask.
    due : (2,) rupees
        Charges of its two orders at its own prices; NaN where no rule says.
    """

    booked: Booked
    entry_utc: np.datetime64
    exit_utc: np.datetime64
    clock_evidence: str
    entry: Seen | None
    exit: Seen | None
    due: tuple[float, float]

    @property
    def entry_day(self) -> dt.date | None:
        """The day in India on which it began, as far as one can be read."""
        known = [moment for moment in (self.entry_utc, self.exit_utc) if not np.isnat(moment)]
        return day_of(known[0]) if known else None


@dataclass(frozen=True, slots=True)
class Fault:
    """The name of a fault and what shows it."""

    name: str
    evidence: str


def faults_of(case: Case) -> tuple[Fault, ...]:
    """Return every fault of a trade, in the order of `FAULTS`."""
    found = ((name, judge(case)) for name, judge in FAULTS)
    return tuple(Fault(name, evidence) for name, evidence in found if evidence)


def contract_name(trade: Booked) -> str:
    """Return a contract as a person writes it."""
    if trade.contract is None:
        return trade.underlying
    _, expiry, strike, right = trade.contract
    return f"{trade.underlying} {expiry} {strike:g} {RIGHT_NAMES[right]}"


def _not_closed(case: Case) -> str:
    trade = case.booked
    if trade.status in _OPEN:
        return f"its status is {trade.status}"
    missing = [
        name
        for name, is_missing in (
            ("time", not trade.exit.text),
            ("price", np.isnan(trade.exit_price)),
        )
        if is_missing
    ]
    return f"no exit {' and no exit '.join(missing)} is booked" if missing else ""


def _impossible_time(case: Case) -> str:
    moments = [("entry", case.booked.entry, case.entry_utc)]
    if not _not_closed(case):
        moments.append(("exit", case.booked.exit, case.exit_utc))
    said = [_impossible(name, stamp, utc, case.booked.underlying) for name, stamp, utc in moments]
    return "; ".join(filter(None, said))


def _impossible(name: str, stamp: Stamp, utc: np.datetime64, underlying: str) -> str:
    reason = stamp.reason or ("" if np.isnat(utc) else why_outside(utc, underlying))
    return f"{name} {stamp.text}: {reason}" if reason else ""


def _exit_before_entry(case: Case) -> str:
    if not case.exit_utc < case.entry_utc:  # a comparison with NaT is False
        return ""
    return f"left at {case.booked.exit.text}, entered at {case.booked.entry.text}"


def _utc_as_ist(case: Case) -> str:
    return case.clock_evidence


def _unknown_contract(case: Case) -> str:
    trade = case.booked
    if trade.contract is None:
        return trade.contract_problem
    if case.entry is not None and case.entry.is_stored:
        name = contract_name(trade)
        return "" if case.entry.is_listed else f"the stored chain of that day has no {name}"
    if case.entry_day is None:
        return ""
    expiry = trade.contract.expiry.astype("datetime64[D]").item()
    try:
        require_expiry(trade.underlying, expiry, case.entry_day)
    except RuleError as reason:
        return str(reason) if "expires on" in str(reason) else ""
    return ""


def _no_data(case: Case) -> str:
    if _impossible_time(case):
        return ""
    moments = ((case.entry, case.entry_utc), (case.exit, case.exit_utc))
    days = {day_of(utc) for seen, utc in moments if seen is not None and not seen.is_stored}
    return f"no {case.booked.underlying} quotes of {', '.join(map(str, sorted(days)))}" * bool(days)


def _wrong_lot(case: Case) -> str:
    trade = case.booked
    if not trade.quantity >= 1:
        return "no quantity is booked"
    if trade.contract is None or case.entry_day is None:
        return ""
    lot = dated_lot(trade.contract, case.entry_day)
    if lot is None or trade.quantity % lot.size == 0:
        return ""
    sure = "" if lot.confidence == "high" else f" ({lot.confidence} confidence)"
    return (
        f"{trade.quantity:g} units are {trade.quantity / lot.size:.2f} lots of {lot.size}, "
        f"the lot of {case.entry_day}{sure}"
    )


def _exit_equals_entry(case: Case) -> str:
    trade, seen = case.booked, case.exit
    if not abs(trade.exit_price - trade.entry_price) < CENT or seen is None or not seen.is_listed:
        return ""
    if _exit_before_entry(case) or _not_closed(case):
        return ""
    if not seen.quotes_since:
        return f"out at {trade.exit_price:.2f}, its entry, with no quote between entry and exit"
    low, high = seen.around
    if low - CENT <= trade.exit_price <= high + CENT or np.isnan(low):
        return ""
    return f"out at {trade.exit_price:.2f}, its entry, where the chain quoted {_span(low, high)}"


def _price_off_chain(case: Case) -> str:
    trade = case.booked
    if _exit_before_entry(case):  # one of its moments is wrong, and no one knows which
        return ""
    prices = [("entry", trade.entry_price, case.entry)]
    if not _exit_equals_entry(case):
        prices.append(("exit", trade.exit_price, case.exit))
    return "; ".join(
        f"{name} at {price:.2f} where the chain quoted {_span(seen.low, seen.high)}"
        for name, price, seen in prices
        if seen is not None
        and not np.isnan(price)
        and not np.isnan(seen.low)
        and not seen.allows(price)
        and not (price == seen.price == 0)  # given up, as the chain would have it
    )


def _charges_understated(case: Case) -> str:
    trade = case.booked
    entry, leave = case.due
    if np.isnan(entry + leave + trade.charges):
        return ""
    if to_paise(entry + leave) - to_paise(trade.charges) <= CHARGES_TOLERANCE_PAISE:
        return ""
    return (
        f"{trade.charges:.2f} booked where {entry + leave:.2f} was due at its own prices, "
        f"{entry:.2f} to enter and {leave:.2f} to leave"
    )


def _net_does_not_add_up(case: Case) -> str:
    trade = case.booked
    said = []
    if abs(trade.gross_pnl - trade.price_gain) > SUMS_TOLERANCE:
        said.append(f"gross {trade.gross_pnl:.2f}, its prices make {trade.price_gain:.2f}")
    charges = 0.0 if np.isnan(trade.charges) else trade.charges
    if abs(trade.net_pnl - (trade.gross_pnl - charges)) > SUMS_TOLERANCE:
        said.append(
            f"net {trade.net_pnl:.2f}, gross less charges is {trade.gross_pnl - charges:.2f}"
        )
    return "; ".join(said)


def _span(low: float, high: float) -> str:
    return f"{low:.2f}" if high - low < CENT else f"{low:.2f} to {high:.2f}"


FAULTS: tuple[tuple[str, Callable[[Case], str]], ...] = (
    ("not_closed", _not_closed),
    ("impossible_time", _impossible_time),
    ("exit_before_entry", _exit_before_entry),
    ("utc_as_ist", _utc_as_ist),
    ("unknown_contract", _unknown_contract),
    ("no_data", _no_data),
    ("wrong_lot", _wrong_lot),
    ("exit_equals_entry", _exit_equals_entry),
    ("price_off_chain", _price_off_chain),
    ("charges_understated", _charges_understated),
    ("net_does_not_add_up", _net_does_not_add_up),
)
"""Name and judge of each fault; a judge returns the evidence, empty where there is none."""
NAMES = tuple(name for name, _ in FAULTS)
UNPRICEABLE = ("not_closed", "impossible_time", "exit_before_entry", "unknown_contract", "no_data")
"""With one of these no true price can be told; the first of them says why."""
