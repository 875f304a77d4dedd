"""The positions of the paper screen: marks, profit, and how far the exits are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from optiq.report.money import profit
from optiq.run.standing import Held, Leg
from optiq.trade.book import Stage

WIDE = 120
"""From so many columns on, the positions have their legs and a scale."""
FULL = 60
"""With fewer columns, ``SPARED`` are left out before a price loses a digit."""
SPARED = ("units", "entry", "left")
SCALE = 31
NEAR = 0.25
"""Of the whole way to an exit; nearer than that it is shown in its colour."""
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def positions_table(held: Sequence[Held], width: int) -> Table:
    """Return one line a position, and one more a leg of a package where there is room."""
    is_wide = width >= WIDE
    table = Table.grid(padding=(0, 2 if is_wide else 1), expand=not is_wide)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=None if is_wide else 1)
    headings = ["", "contract", "units", "entry", "mark", "open P&L", "to stop", "target", "left"]
    shown = [at for at, name in enumerate(headings) if width >= FULL or name not in SPARED]
    for heading in (headings[at] for at in shown[1:]):
        justify = "left" if heading == "contract" else "right"
        table.add_column(no_wrap=True, justify=justify)  # type: ignore[arg-type]
    words = [headings[at] for at in shown]
    if is_wide:
        table.add_column(no_wrap=True)
        words.append(f"{'stop':<{SCALE - 6}}target")
    table.add_row(*(Text(word, "dim") for word in words))
    for one in held:
        cells = _cells(one, is_wide=is_wide)
        table.add_row(*(cells[at] for at in shown), *([_scale(one)] if is_wide else []))
        if is_wide and len(one.legs) > 1:
            for leg in one.legs:
                table.add_row(*_leg_cells(leg), *[""] * 5)
    return table


def line_count(held: Sequence[Held], width: int) -> int:
    """Return how many lines `positions_table` takes."""
    legs = sum(len(one.legs) for one in held if len(one.legs) > 1) if width >= WIDE else 0
    return 1 + len(held) + legs


def _cells(one: Held, *, is_wide: bool) -> list[Text]:
    first = one.legs[0]
    more = f" +{len(one.legs) - 1}" if len(one.legs) > 1 else ""
    name = Text(one.strategy, "bold" if one.stage == Stage.OPEN else "")
    if one.stage != Stage.OPEN:
        word = one.reason or "pending"
        name = Text.assemble((f"{word} ", "yellow"), (one.strategy, ""))
    return [
        name,
        Text(contract_name(first, is_wide=is_wide) + more),
        Text(f"{first.side * first.units:d}"),
        Text(price(one.entry)),
        Text(price(one.mark), "" if one.profit == 0 else "green" if one.profit > 0 else "red"),
        profit(one.profit),
        _left(one.to_stop, one.stop, "red"),
        _left(one.to_target, one.target, "green"),
        minutes(one),
    ]


def _leg_cells(leg: Leg) -> list[Text]:
    return [
        Text(""),
        Text(f"  {contract_name(leg, is_wide=True)}", "dim"),
        Text(f"{leg.side * leg.units:d}", "dim"),
        Text(price(leg.entry), "dim"),
        Text(price(leg.mark), "dim"),
    ]


def contract_name(leg: Leg, *, is_wide: bool) -> str:
    """Return a contract as ``26000 CE``, with ``2 Jan`` before it where there is room."""
    day, strike, right = leg.contract.split()
    if not is_wide:
        return f"{strike} {right}"
    return f"{int(day[8:])} {MONTHS[int(day[5:7]) - 1]} {strike} {right}"


def price(value: float) -> str:
    """Return rupees a unit; a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:,.2f}"


def minutes(one: Held) -> Text:
    """Return the minutes to the exit by time; yellow in the last five."""
    if math.isnan(one.minutes_left):
        return Text("-")
    left = math.ceil(max(one.minutes_left, 0.0))
    words = f"{left}m" if left < 100 else f"{left // 60}h{left % 60:02d}"
    return Text(words, "yellow" if left <= 5 else "")


def _left(distance: float, whole: float, style: str) -> Text:
    if math.isnan(distance):
        return Text("-", "dim")
    return Text(f"{distance:.1%}", style if distance <= NEAR * whole else "")


def _scale(one: Held) -> Text:
    """Return a line from the stop to the target, with a mark where the gain is and one at 0."""
    low, high = -one.stop, one.target
    if math.isnan(low) or math.isnan(high) or math.isnan(one.gain):
        return Text("")

    def at(gain: float) -> int:
        share = (min(max(gain, low), high) - low) / (high - low)
        return round(share * (SCALE - 1))

    line = ["─"] * SCALE
    line[at(0.0)] = "┼"
    line[at(one.gain)] = "●"
    text = Text("".join(line), "dim")
    text.stylize("bold not dim green" if one.gain > 0 else "bold not dim red", *_one(at(one.gain)))
    return text


def _one(place: int) -> tuple[int, int]:
    return place, place + 1
