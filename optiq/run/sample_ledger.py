"""A ledger to try ``optiq reprice`` on: honest trades of simulated days, with faults planted."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from optiq.errors import EvidenceError, InputError
from optiq.market.durable import durable_write
from optiq.market.ingest.symbols import Option
from optiq.market.schema import CE, IST_OFFSET, PE
from optiq.market.simulated_store import SimulationReport
from optiq.market.store import Store
from optiq.market.truth_file import truth_path
from optiq.run.backtest import Settings, backtest
from optiq.run.ledger_money import order_charge, to_paise
from optiq.run.stored import fields_of, panels
from optiq.run.user_strategy import find
from optiq.trade.book import PAISE
from optiq.trade.ledger import Columns, concatenate
from optiq.trade.priced_legs import day_of

LEDGER, TRUTH = "ledger.csv", "ledger_truth.json"
STRATEGY = "gamma_scalping"
"""The shipped rule that trades most, one bought option at a time."""
SEED_CHARGES = 13.58
"""What one old system booked for every trade."""
_RIGHTS = {"CE": CE, "PE": PE}
_SECOND = np.timedelta64(1, "s")
_SHARE = 30
"""One trade in so many gets each fault."""
_CLEAR = 0.05
"""Prices that differ by less than this share may be equal by chance."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade about to be booked; moments are Indian time, the way it will be written."""

    contract: Option
    entry: np.datetime64
    exit: np.datetime64
    entry_text: str
    exit_text: str
    entry_price: float
    exit_price: float
    quantity: int
    exit_type: str
    charges: float

    @property
    def gross(self) -> float:
        """What its prices make, in rupees."""
        paise = to_paise(self.exit_price) - to_paise(self.entry_price)
        return paise * self.quantity / PAISE


class Sample(NamedTuple):
    """Where a sample ledger lies, where its truth, and how many trades it has."""

    ledger: Path
    truth: Path
    trades: int
    planted: int


def write_sample(store: Store, underlying: str, report: SimulationReport, seed: int) -> Sample:
    """Backtest a shipped strategy over simulated days and book it, faults and all.

    The ledger lies beside the store, as a market's truth does; a ledger that is not this store's
    is never replaced. `EvidenceError` where too few trades were made to plant every fault.
    """
    ledger, truth = (truth_path(store.root).with_name(name) for name in (LEDGER, TRUTH))
    _require_free(store, ledger, truth)
    trades = list(_honest(store, underlying, report))
    planted = _planted(trades, np.random.default_rng(seed))
    for number, (_, plant) in planted.items():
        trades[number] = plant(trades[number])
    ids = [f"T{number + 1:04d}" for number in range(len(trades))]
    durable_write(ledger, _csv([_row(*pair) for pair in zip(ids, trades, strict=True)]))
    told = {
        "store": store.root.resolve().name,
        "seed": seed,
        "faults": {ids[number]: name for number, (name, _) in sorted(planted.items())},
    }
    durable_write(truth, json.dumps(told, indent=2) + "\n")
    return Sample(ledger, truth, len(trades), len(planted))


def _require_free(store: Store, ledger: Path, truth: Path) -> None:
    if not ledger.exists():
        return
    try:
        owner = json.loads(truth.read_text("utf-8"))["store"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        owner = None
    if owner != store.root.resolve().name:
        raise InputError(
            f"{ledger} is no sample of the store {store.root.name!r}",
            "give --store a folder of its own, such as NAME/store",
        )


def _honest(store: Store, underlying: str, report: SimulationReport) -> Iterator[Trade]:
    """Yield the trades of a backtest as an honest system would book them.

    An order is booked when it is sent, one latency before its fill.
    """
    settings, strategy = Settings(), find(STRATEGY)
    dates = [np.datetime64(day, "D").item() for day in report.days]
    days = panels(store, underlying, dates, fields_of([strategy]))
    results = backtest(days, [strategy], settings, compare_instant=False)
    found = concatenate([day.trades() for day in results])
    sent = round(1e6 * settings.walk.latency_s) * np.timedelta64(1, "us")
    for row in np.flatnonzero(~found["stale_exit"]).tolist():
        yield _trade(found, row, underlying, sent)


def _trade(found: Columns, row: int, underlying: str, sent: np.timedelta64) -> Trade:
    entry, leave = (found[name][row] + IST_OFFSET - sent for name in ("entry_ts", "exit_ts"))
    right = _RIGHTS[found["right"][row]]
    return Trade(
        contract=Option(underlying, found["expiry"][row], float(found["strike"][row]), right),
        entry=entry,
        exit=leave,
        entry_text=_written(entry),
        exit_text=_written(leave),
        entry_price=float(found["entry_price"][row]),
        exit_price=float(found["exit_price"][row]),
        quantity=int(found["quantity"][row]),
        exit_type=str(found["exit_reason"][row]),
        charges=float(found["charges"][row]),
    )


def _planted(
    trades: list[Trade], rng: np.random.Generator
) -> dict[int, tuple[str, Callable[[Trade], Trade]]]:
    """Choose which trade gets which fault, no trade two of them."""
    free = [int(number) for number in rng.permutation(len(trades))]
    planted: dict[int, tuple[str, Callable[[Trade], Trade]]] = {}
    for name, plant, can_show in PLANTS:
        able = [number for number in free if can_show(trades[number])]
        chosen = able[: max(1, len(trades) // _SHARE)]
        if not chosen:
            raise EvidenceError(
                f"{len(trades)} trades of {STRATEGY} are too few to plant every fault in",
                "simulate more --days",
            )
        free = [number for number in free if number not in chosen]
        planted |= dict.fromkeys(chosen, (name, plant))
    return planted


def _recharged(trade: Trade) -> Trade:
    """Return a trade with the charges due on what it now claims."""
    orders = ((1, trade.entry, trade.entry_price), (-1, trade.exit, trade.exit_price))
    broker = Settings().broker
    due = [
        order_charge(trade.contract, day_of(at - IST_OFFSET), side, price, trade.quantity, broker)
        for side, at, price in orders
    ]
    return replace(trade, charges=sum(due))


def _exit_equals_entry(trade: Trade) -> Trade:
    return _recharged(replace(trade, exit_price=trade.entry_price))


def _exit_before_entry(trade: Trade) -> Trade:
    return replace(trade, entry_text=trade.exit_text, exit_text=trade.entry_text)


def _impossible_time(trade: Trade) -> Trade:
    return replace(trade, entry_text=f"{trade.entry_text[:10]} 09:90")


def _utc_as_ist(trade: Trade) -> Trade:
    entry, leave = (_written(moment - IST_OFFSET) for moment in (trade.entry, trade.exit))
    return replace(trade, entry_text=entry, exit_text=leave)


def _charges_understated(trade: Trade) -> Trade:
    return replace(trade, charges=SEED_CHARGES)


def _wrong_lot(trade: Trade) -> Trade:
    return _recharged(replace(trade, quantity=trade.quantity - trade.quantity // 3))


def _always(_: Trade) -> bool:
    return True


def _has_moved(trade: Trade) -> bool:
    return abs(trade.exit_price / trade.entry_price - 1) > _CLEAR


PLANTS: tuple[tuple[str, Callable[[Trade], Trade], Callable[[Trade], bool]], ...] = (
    ("exit_equals_entry", _exit_equals_entry, _has_moved),
    ("exit_before_entry", _exit_before_entry, _always),
    ("impossible_time", _impossible_time, _always),
    ("utc_as_ist", _utc_as_ist, _always),
    ("charges_understated", _charges_understated, _always),
    ("wrong_lot", _wrong_lot, _always),
)
"""Name of each fault, what it does to a trade, and whether it would show there."""


def _row(trade_id: str, trade: Trade) -> dict[str, Any]:
    brokerage = 0.0 if trade.charges == SEED_CHARGES else 20.0 * (1 + (trade.exit_price > 0))
    return {
        "trade_id": trade_id,
        "entry_time": trade.entry_text,
        "exit_time": trade.exit_text,
        "symbol": trade.contract.underlying,
        "instrument_type": "CALL" if trade.contract.right == CE else "PUT",
        "strike_price": f"{trade.contract.strike:g}",
        "expiry_date": str(trade.contract.expiry),
        "entry_price": f"{trade.entry_price:.2f}",
        "quantity": trade.quantity,
        "exit_price": f"{trade.exit_price:.2f}",
        "exit_type": trade.exit_type,
        "gross_pnl": f"{trade.gross:.2f}",
        "brokerage": f"{brokerage:.2f}",
        "taxes": f"{trade.charges - brokerage:.2f}",
        "net_pnl": f"{trade.gross - trade.charges:.2f}",
        "strategy_name": STRATEGY,
        "status": "CLOSED",
    }


def _written(moment: np.datetime64) -> str:
    return str(moment.astype("datetime64[s]")).replace("T", " ")


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
