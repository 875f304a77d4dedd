"""The paper screen put together for whatever room a terminal has."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from optiq.market.calendar import clock
from optiq.report.screen_parts import (
    feed_table,
    limits_table,
    money_table,
    refusals,
)
from optiq.report.screen_policy import policy_lines, policy_table, policy_title
from optiq.report.screen_positions import WIDE, line_count, positions_table
from optiq.report.screen_view import Line, View

SIDE = 46
"""Columns of the right half on a wide terminal."""
FIXED, STACKED = 14, 24
"""Lines of the narrow screen beside the positions and what happened; two tables side by side take
fewer than one over the other."""
HALF = 36
"""Columns that a table of money takes; with fewer it would lose digits."""
ROOM = 8
"""Lines that are left for positions and what happened, or tables stay side by side."""
EXPIRY = re.compile(r"\b\d{4}-\d\d-\d\d (?=[\d.]+ [CP]E)")
WORD_STYLES = {"entry": "cyan", "leaving": "yellow", "refused": "dim", "chosen": "magenta"}


def draw(view: View, width: int, height: int) -> RenderableType:
    """Return the screen for a terminal of so many columns and lines."""
    return _wide(view, width, height) if width >= WIDE else _narrow(view, width, height)


def _narrow(view: View, width: int, height: int) -> RenderableType:
    half = width // 2 - 1
    is_stacked = half < HALF and height >= STACKED + ROOM
    fixed = STACKED if is_stacked else FIXED
    room = max(height - fixed, 0)
    held = view.standing.held[: max(min(len(view.standing.held), room - 3), 1)]
    left = max(height - fixed - line_count(held, width), 0)
    money, limits = _titled("Today", money_table(view.standing)), _limits(view)
    feed, policy = _titled("Feed", _feed(view)), _titled("Policy", policy_lines(view))
    beside = (_beside(money, limits, half), _beside(feed, policy, half))
    return Group(
        _head(view),
        _title("Positions", _more(view, held)),
        positions_table(held, width),
        *((money, limits, feed, policy) if is_stacked else beside),
        _title("Decisions"),
        refusals(view.standing, width),
        *_happenings(view.lines, left),
    )


def _wide(view: View, width: int, height: int) -> RenderableType:
    side = Group(
        _titled("Today", money_table(view.standing)),
        Text(""),
        _limits(view),
        Text(""),
        _titled("Feed", _feed(view)),
        Text(""),
        _titled("Policy", policy_table(view), policy_title(view)),
    )
    main = width - SIDE - 2
    held = view.standing.held
    left = max(height - 5 - line_count(held, main), 0)
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(width=main)
    table.add_column(width=SIDE)
    happenings = Group(
        _title("Positions", _more(view, held)),
        positions_table(held, main),
        Text(""),
        _title("Decisions"),
        refusals(view.standing, main),
        *_happenings(view.lines, left),
    )
    table.add_row(happenings, side)
    return Group(_head(view), table)


def _head(view: View) -> Table:
    """Return the session's name and how far through the day it is."""
    opened, closes = view.session.open_minute, view.session.close_minute
    done = min(max(view.minute - opened, 0.0), closes - opened)
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True, ratio=1, overflow="ellipsis")
    table.add_column(no_wrap=True)
    table.add_column(width=16)
    table.add_column(no_wrap=True, justify="right")
    bar = ProgressBar(total=closes - opened, completed=done, width=16, complete_style="cyan")
    rows = f"{view.standing.rows:,} rows"
    last = Text(f"{clock(closes)}  {rows}")
    table.add_row(Text(view.title, "bold"), Text(clock(view.minute), "bold"), bar, last)
    return table


def _limits(view: View) -> RenderableType:
    return _titled("Limits", limits_table(view.standing, view.limits))


def _feed(view: View) -> RenderableType:
    return feed_table(view.health, view.standing)


def _titled(title: str, body: RenderableType, more: str = "") -> RenderableType:
    return Group(_title(title, more), body)


def _title(title: str, more: str = "") -> Rule:
    words = Text.assemble((title, "bold"), (f" {more}" if more else "", "dim"))
    return Rule(words, align="left", style="bright_black")


def _more(view: View, shown: Sequence[object]) -> str:
    hidden = len(view.standing.held) - len(shown)
    if hidden:
        return f"and {hidden} more"
    return "" if view.standing.held else "none"


def _beside(left: RenderableType, right: RenderableType, half: int) -> Table:
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(width=half)
    table.add_column(width=half)
    table.add_row(left, right)
    return table


def _happenings(lines: Sequence[Line], room: int) -> list[RenderableType]:
    shown = list(lines)[-room:] if room else []
    return [_happening(line) for line in reversed(shown)]


def _happening(line: Line) -> Text:
    """Return one line; a contract's expiry is left out, as nearly all have the same."""
    style = line.style or WORD_STYLES.get(line.word, "")
    return Text.assemble(
        (f"{line.time:8} ", "dim"),
        (f"{line.word:8} ", style),
        (EXPIRY.sub("", line.text), "dim" if line.word == "refused" else ""),
        no_wrap=True,
        overflow="ellipsis",
    )
