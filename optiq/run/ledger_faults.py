"""What can be wrong with a booked trade, and the evidence for it in words."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from optiq.market.calendar import closed_at
from optiq.market.schema import IST_OFFSET
from optiq.run.ledger_case import (
    Case,
    Fault,
    Flag,
    booked_gross,
    clock_words,
    is_open,
    says_open,
)
from optiq.run.recorded_quotes import Quoted

CHARGES_TOLERANCE = 1.0
"""Rupees; contract notes round the transaction tax and the stamp duty to whole rupees."""
SUM_TOLERANCE = 0.02
"""Rupees; three amounts rounded to the paisa."""
PRICE_TOLERANCE = 0.01
"""Rupees a unit; booked prices may be averages, rounded."""


def faults_of(case: Case) -> tuple[Fault, ...]:
    """Return every fault of a trade, in the order of the flags."""
    found = ((flag, check(case)) for flag, check in _CHECKS)
    return tuple(Fault(flag, evidence) for flag, evidence in found if evidence)


def _unreadable(case: Case) -> str:
    trade = case.trade
    missing = [
        f"no {name}"
        for name, value in (("entry price", trade.entry_price), ("quantity", trade.quantity))
        if math.isnan(value) and not trade.unreadable
    ]
    return "; ".join((*trade.unreadable, *missing))


def _not_closed(case: Case) -> str:
    trade = case.trade
    said = [f"status {trade.status}"] if says_open(trade) else []
    said += ["no exit time"] if not trade.exit.text else []
    unsaid = math.isnan(trade.exit_price) and not any("exit" in why for why in trade.unreadable)
    return ", ".join([*said, "no exit price"] if unsaid else said)


def _impossible_time(case: Case) -> str:
    underlying = case.trade.contract.underlying if case.trade.contract else "NIFTY"
    found = []
    for name, booked, utc in case.moments:
        if booked.problem:
            found.append(f"{name} {booked.text!r}: {booked.problem}")
        elif not np.isnat(utc) and (reason := closed_at(utc, underlying)):
            found.append(f"{name} {clock_words(utc)} IST: {reason}")
    if not case.trade.entry.text:
        found.append("no entry time")
    return "; ".join(found)


def _utc_as_ist(case: Case) -> str:
    naive = [
        (booked, utc)
        for _, booked, utc in case.moments
        if booked.found is not None and booked.found.clock == "unknown"
    ]
    if case.reading.clock != "UTC" or case.clock.asked or not naive:
        return ""
    booked, utc = naive[0]
    told = f"{booked.text} is UTC, {clock_words(utc)} in India: "
    local = booked.found.time if booked.found else utc
    underlying = case.trade.contract.underlying if case.trade.contract else "NIFTY"
    if reason := closed_at(local - IST_OFFSET, underlying):
        return f"{told}as Indian time it is {reason}"
    if case.clock.zone == "UTC":
        return f"{told}{case.clock.only_utc} times of the ledger fit their session only so"
    return f"{told}as Indian time the chain never quoted its prices"


def _exit_before_entry(case: Case) -> str:
    entry, leave = case.reading.entry, case.reading.exit
    if np.isnat(entry) or np.isnat(leave) or leave >= entry:
        return ""
    return f"entered {_day_and_clock(entry)}, left {_day_and_clock(leave)}"


def _unknown_contract(case: Case) -> str:
    return case.trade.contract_problem or case.unlisted


def _wrong_lot(case: Case) -> str:
    quantity, option = case.trade.quantity, case.trade.contract
    if math.isnan(quantity) or _unknown_contract(case):
        return ""
    if quantity <= 0 or quantity != round(quantity):
        return f"nobody trades {quantity:g} units"
    if case.lot is None or option is None or quantity % case.lot == 0:
        return ""
    return (
        f"{quantity:g} is no multiple of {case.lot}, the lot of {option.underlying} {option.expiry}"
    )


def _exit_equals_entry(case: Case) -> str:
    trade, entry, leave = case.trade, case.entry, case.exit
    if entry is None or leave is None or trade.exit_price != trade.entry_price:
        return ""
    if np.isnat(case.reading.entry) or case.reading.exit < case.reading.entry:
        return ""
    booked = f"both booked at {trade.entry_price:.2f}"
    is_recorded = entry.is_recorded and leave.is_recorded
    if is_recorded and not entry.quotes_between + leave.quotes_between:
        return f"{booked}, and the chain quoted it at no row between"
    if leave.at is not None and not leave.at.holds(trade.exit_price):
        return f"{booked}, but at the exit the chain quoted {_range(leave.at)}"
    return ""


def _price_off_chain(case: Case) -> str:
    if _exit_before_entry(case):
        return ""  # its prices are not those of its moments
    is_told = bool(_exit_equals_entry(case))  # the exit's price already
    return "; ".join(
        f"{name} {price:.2f} at {clock_words(utc)}: the chain quoted {_range(leg.around)}"
        for name, price, leg, utc in case.legs
        if leg.around is not None and not math.isnan(price) and not leg.around.allows(price)
        if not (is_told and name == "exit")
    )


def _net_does_not_add_up(case: Case) -> str:
    trade, made = case.trade, booked_gross(case.trade)
    if is_open(trade):
        return ""
    found = []
    slack = SUM_TOLERANCE + PRICE_TOLERANCE * trade.quantity
    if abs(trade.gross_pnl - made) > slack:
        found.append(f"gross {trade.gross_pnl:.2f} booked, the prices make {made:.2f}")
    gross = made if math.isnan(trade.gross_pnl) else trade.gross_pnl
    slack = slack if math.isnan(trade.gross_pnl) else SUM_TOLERANCE
    net = gross - trade.charges
    if abs(trade.net_pnl - net) > slack + 1e-9:
        found.append(
            f"net {trade.net_pnl:.2f} booked, {gross:.2f} less charges of {trade.charges:.2f} "
            f"is {net:.2f}"
        )
    return "; ".join(found)


def _charges_understated(case: Case) -> str:
    trade, due = case.trade, case.due
    if due is None or not sum(due) / 100 - trade.charges > CHARGES_TOLERANCE:
        return ""
    first, second = ("buy", "sell") if trade.side > 0 else ("sell", "buy")
    return (
        f"{trade.charges:.2f} booked, {sum(due) / 100:.2f} due: {due[0] / 100:.2f} to {first} "
        f"{trade.quantity:g} at {trade.entry_price:.2f}, {due[1] / 100:.2f} to {second} them at "
        f"{trade.exit_price:.2f}"
    )


def _no_data(case: Case) -> str:
    told = [] if case.unlisted else [leg.unrecorded for _, _, leg, _ in case.legs]
    return "; ".join(dict.fromkeys(filter(None, told)))


_CHECKS: tuple[tuple[Flag, Callable[[Case], str]], ...] = (
    (Flag.UNREADABLE, _unreadable),
    (Flag.NOT_CLOSED, _not_closed),
    (Flag.IMPOSSIBLE_TIME, _impossible_time),
    (Flag.UTC_AS_IST, _utc_as_ist),
    (Flag.EXIT_BEFORE_ENTRY, _exit_before_entry),
    (Flag.UNKNOWN_CONTRACT, _unknown_contract),
    (Flag.WRONG_LOT, _wrong_lot),
    (Flag.EXIT_EQUALS_ENTRY, _exit_equals_entry),
    (Flag.PRICE_OFF_CHAIN, _price_off_chain),
    (Flag.NET_DOES_NOT_ADD_UP, _net_does_not_add_up),
    (Flag.CHARGES_UNDERSTATED, _charges_understated),
    (Flag.NO_DATA, _no_data),
)


def _day_and_clock(utc: np.datetime64) -> str:
    return str((utc + IST_OFFSET).astype("datetime64[s]")).replace("T", " ")


def _range(quoted: Quoted) -> str:
    span = clock_words(quoted.first)
    if quoted.last != quoted.first:
        span = f"from {span} to {clock_words(quoted.last)}"
    else:
        span = f"at {span}"
    return f"{quoted.low:.2f} to {quoted.high:.2f} {span}"
