"""A ledger to try ``reprice`` on: a backtest's trades booked truly, then faults planted in some."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from optiq.errors import EvidenceError, InputError
from optiq.market.contracts import lot_size
from optiq.market.day_view import ist
from optiq.market.durable import durable_write
from optiq.market.ingest.symbols import Option
from optiq.market.schema import CE, PE, RIGHT_NAMES
from optiq.market.store import Store
from optiq.run.backtest import Settings, backtest
from optiq.run.charges_due import ChargesDue
from optiq.run.ledger_case import Flag
from optiq.run.planted_faults import PLANTS, Booking
from optiq.run.stored import fields_of, panels
from optiq.run.user_strategy import find
from optiq.trade.book import PAISE
from optiq.trade.charges import schedule
from optiq.trade.ledger import Columns

STRATEGIES = ("gamma_scalping", "institutional_oi")
FAULTY_SHARE = 0.4
"""Of all trades, at most; the rest stays true."""

Advance = Callable[[int], None]


def ledger_path(store: Path) -> Path:
    """Return where a store's sample ledger lies: beside it, never in it."""
    return store.resolve().parent / "ledger.csv"


def truth_path(store: Path) -> Path:
    """Return where it is written which trade of the sample ledger has which fault."""
    return store.resolve().parent / "ledger_truth.json"


def require_own_ledger(store: Path) -> None:
    """Refuse when a ledger lies beside the store that no sample of this store is."""
    path, truth = ledger_path(store), truth_path(store)
    if not path.exists():
        return
    try:
        told = json.loads(truth.read_text("utf-8"))
        is_own = told["store"] == store.resolve().name and told["sha256"] == _digest(path)
    except (OSError, ValueError, KeyError, TypeError):
        is_own = False
    if not is_own:
        raise InputError(
            f"{path} is no sample ledger of the store {store.name!r}",
            "give --store a folder of its own, such as NAME/store, or move that file",
        )


def write_sample_ledger(
    store: Store,
    underlying: str,
    dates: Sequence[dt.date],
    seed: int,
    advance: Advance | None = None,
) -> dict[str, Any]:
    """Trade the stored days, book every trade, plant each kind of fault in some, and write both.

    Returns what ``ledger_truth.json`` holds: ``faults`` names each faulty trade's one fault, every
    other trade is true to the paisa. The same store and seed give the same bytes. ``advance`` is
    told of each day.
    """
    require_own_ledger(store.root)
    bookings = list(_bookings(store, underlying, dates, advance))
    if len(bookings) < 2:
        raise EvidenceError(
            f"{' and '.join(STRATEGIES)} made {len(bookings)} trades in {len(dates)} days: too few "
            "for a ledger",
            "simulate more days, or snapshots closer together",
        )
    faulty, faults = plant(bookings, np.random.default_rng(seed), ChargesDue(Settings().broker))
    path = ledger_path(store.root)
    durable_write(path, _as_csv(faulty))
    truth = {
        "store": store.root.resolve().name,
        "sha256": _digest(path),
        "seed": seed,
        "strategies": list(STRATEGIES),
        "trades": len(bookings),
        "faults": faults,
    }
    durable_write(truth_path(store.root), json.dumps(truth, indent=1) + "\n")
    return truth


def plant(
    bookings: Sequence[Booking], rng: np.random.Generator, charges: ChargesDue
) -> tuple[list[Booking], dict[str, str]]:
    """Return the bookings with each kind of fault in as many as the others, and which has which.

    A wrong price or quantity is charged as if it were right: one trade, one fault.
    """
    made, faults = list(bookings), dict[str, str]()
    order = rng.permutation(len(made)).tolist()
    each = max(1, int(FAULTY_SHARE * len(made)) // len(PLANTS))
    for flag, is_possible, spoil in PLANTS * each:
        place = next((at for at in order if is_possible(made[at])), None)
        if place is not None and len(faults) < len(made) // 2:
            order.remove(place)
            spoilt = spoil(made[place])
            wrongly_charged = flag == Flag.CHARGES_UNDERSTATED
            made[place] = spoilt if wrongly_charged else charged(spoilt, charges)
            faults[made[place].trade_id] = flag.value
    return made, faults


def _bookings(
    store: Store, underlying: str, dates: Sequence[dt.date], advance: Advance | None
) -> Iterator[Booking]:
    strategies, settings = [find(name) for name in STRATEGIES], Settings()
    charges = ChargesDue(settings.broker)
    days = panels(store, underlying, list(dates), fields_of(strategies))
    for day in backtest(days, strategies, settings, compare_instant=False):
        trades = day.trades()
        for row in np.flatnonzero(~trades["stale_exit"]).tolist():
            yield _booked(trades, row, charges)
        if advance is not None:
            advance(1)


def _booked(trades: Columns, row: int, charges: ChargesDue) -> Booking:
    trade = {name: values[row] for name, values in trades.items()}
    entry, leave = (
        ist(trade[name]).replace(tzinfo=None) for name in ("decided_ts", "exit_decided_ts")
    )
    right = CE if trade["right"] == RIGHT_NAMES[CE] else PE
    option = Option(trade["underlying"], trade["expiry"], float(trade["strike"]), right)
    booking = Booking(
        trade_id=trade["trade_id"],
        entry=entry,
        exit=leave,
        option=option,
        entry_paise=round(PAISE * trade["entry_price"]),
        exit_paise=round(PAISE * trade["exit_price"]),
        quantity=int(trade["quantity"]),
        lot=lot_size(option.underlying, option.expiry.item(), entry.date()).size,
        exit_type=trade["exit_reason"],
        strategy=trade["strategy"],
    )
    return charged(booking, charges)


def charged(booking: Booking, charges: ChargesDue) -> Booking:
    """Return a booking with the charges due at its prices: brokerage and all the rest apart."""
    on, option, units = booking.entry.date(), booking.option, booking.quantity
    fee = schedule(option.underlying, on, charges.broker).rates.brokerage_paise
    orders = ((1, booking.entry_paise), (-1, booking.exit_paise))
    due = sum(charges.paise(option, on, side, units, price) or 0 for side, price in orders)
    brokerage = fee * sum(price > 0 for _, price in orders)
    return replace(booking, brokerage_paise=brokerage, taxes_paise=due - brokerage)


def _as_csv(bookings: Sequence[Booking]) -> str:
    text = io.StringIO()
    lines = [booking.line() for booking in bookings]
    writer = csv.DictWriter(text, lines[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
