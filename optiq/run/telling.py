"""What a step of the walk says in the journal: plain records that a person can read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from optiq.market.schema import RIGHT_NAMES
from optiq.run.choices import ASIDE
from optiq.run.choosing import NONE, Decision
from optiq.run.day_in_progress import DayInProgress, Step
from optiq.run.journal import Event
from optiq.trade.book import Records, Status
from optiq.trade.exits import Reason

Told = dict[str, Any]


def events_of(day: DayInProgress, step: Step) -> Iterator[Event]:
    """Yield what one row did, in the order of the walk: exits decided, entries, fills.

    The same step gives the same bytes: that is how a restart proves itself.
    """
    if step.chosen is not None:
        yield Event.of("chosen", step.row, _chosen(day, step.chosen))
    for position in step.leaving:
        yield Event.of("leaving", step.row, _leaving(day, position))
    if len(step.decided):
        asked = [_decided(day, int(number)) for number in step.decided]
        yield Event.of("decided", step.row, asked)
    for position in step.left:
        yield Event.of("exit", step.row, _exit(day, position))
    for position in step.entered:
        yield Event.of("entry", step.row, _entry(day, position))
    for number in step.ended:
        ended = _order(day, int(number)) | {"status": _status(day, int(number))}
        yield Event.of("ended", step.row, ended)


def _chosen(day: DayInProgress, decision: Decision) -> Told:
    names = [strategy.name for strategy in day.strategies]
    choice = decision.choice
    return {
        "chosen": ASIDE if choice.index == NONE else names[choice.index],
        "possible": [n for n, possible in zip(names, decision.mask, strict=True) if possible],
        "propensity": dict(zip(names, choice.propensity.tolist(), strict=True)),
        "preferences": dict(zip(names, map(_number, choice.preferences), strict=True)),
        "observation": [_number(value) for value in decision.observation],
    }


def _decided(day: DayInProgress, number: int) -> Told:
    order = day.orders[number]
    return _order(day, number) | {
        "status": _status(day, number),
        "rank": _number(order["rank"]),
        "score": _number(order["score"]),
    }


def _entry(day: DayInProgress, position: Records) -> Told:
    return _order(day, int(position["order"])) | {
        "lots": int(position["lots"]),
        "legs": _legs(day, position, "entry_paise"),
        "charges_paise": int(position["charges_paise"].sum()),
    }


def _leaving(day: DayInProgress, position: Records) -> Told:
    gain = {"reason": Reason(int(position["reason"])).name, "gain": _number(position["gain"])}
    return _order(day, int(position["order"])) | gain


def _exit(day: DayInProgress, position: Records) -> Told:
    return _order(day, int(position["order"])) | {
        "reason": Reason(int(position["reason"])).name,
        "stale": bool(position["stale"]),
        "legs": _legs(day, position, "exit_paise"),
        "charges_paise": int(position["charges_paise"].sum()),
        "realised_paise": int(day.book.day["realised_paise"][0]),
    }


def _order(day: DayInProgress, number: int) -> Told:
    """Name an order: whose, which of that strategy's orders, and its first contract."""
    order = day.orders[number]
    return {
        "strategy": day.strategies[order["strategy"]].name,
        "index": int(order["index"]),
        "decided_row": int(order["row"]),
        "contract": contract_text(day, int(order["legs"][0])),
    }


def _legs(day: DayInProgress, position: Records, price: str) -> list[Told]:
    order = day.orders[position["order"]]
    lots = int(position["lots"])
    return [
        {
            "contract": contract_text(day, int(contract)),
            "side": int(order["side"][k]),
            "quantity": lots * int(order["ratio"][k]) * int(day.rows.contracts.lot[contract]),
            "paise": int(position[price][k]),
        }
        for k, contract in enumerate(order["legs"])
        if contract >= 0
    ]


def contract_text(day: DayInProgress, column: int) -> str:
    """Return a contract as ``2025-11-25 26000 CE``."""
    contracts = day.rows.contracts
    right = RIGHT_NAMES[int(contracts.right[column])]
    return f"{contracts.expiry[column]} {contracts.strike[column]:g} {right}"


def _status(day: DayInProgress, number: int) -> str:
    return Status(int(day.book.status[number])).name.lower()


def _number(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)
