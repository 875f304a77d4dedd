"""What a policy chose in a run: how often each strategy could trade, did, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from optiq.errors import DamagedError
from optiq.learn.intervals import Interval, mean_interval
from optiq.market.schema import AnyArray, BoolArray, IntArray
from optiq.report.choice_picture import Picture, drawn
from optiq.report.grouping import Group, grouped
from optiq.report.positions import Positions
from optiq.report.tables import counted
from optiq.run.choices import ASIDE
from optiq.run.choosing import MODEL
from optiq.run.recorded import RecordedRun, session_days
from optiq.run.recorded_choices import AGAIN, RecordedChoices, read_choices

STAND_ASIDE = "standing aside"
MANY = 3
"""More versions than this are counted, not named."""


@dataclass(frozen=True, slots=True)
class Line:
    """What was made of one strategy, or of standing aside; money in paise.

    ``a_window`` is the net of a window in which it was chosen, over sessions; None where that
    would be no evidence.
    """

    possible: int
    chosen: int
    trades: Group
    a_window: Interval | None

    @property
    def share(self) -> float:
        """Of the windows in which it was possible, those in which it was chosen."""
        return self.chosen / self.possible if self.possible else float("nan")

    @property
    def says_something(self) -> bool:
        """Whether it was chosen and could have traded."""
        return bool(self.chosen) and self.trades.label != STAND_ASIDE

    @property
    def is_small(self) -> bool:
        """Whether there are too few trades to conclude anything."""
        return self.says_something and self.trades.is_small


@dataclass(frozen=True, slots=True)
class ChoiceTable:
    """The decisions of one chooser: a line a strategy, their sum, and a picture of the day."""

    who: str
    lines: list[Line]
    total: Line
    picture: Picture


def choice_tables(run: RecordedRun, positions: Positions) -> list[ChoiceTable]:
    """Return a table of the learnt policies of a run and one of each other chooser.

    None where all strategies traded side by side. `DamagedError` where a trade is not of the
    strategy that was chosen then.
    """
    choices = read_choices(run)
    if choices is None:
        return []
    window = windows_of(choices, positions)
    learnt_from = (run.summary.get("chosen_by") or {}).get("standing") == "in-sample"
    return [
        _table(who, choices, mine, positions, window, is_evidence=not (is_learnt and learnt_from))
        for who, mine, is_learnt in _by_chooser(choices)
    ]


def windows_of(choices: RecordedChoices, positions: Positions) -> IntArray:
    """Return (n_trades,) under which decision each trade was decided."""
    window = np.searchsorted(choices.ts, positions.decided, side="right") - 1
    names = np.array([*choices.strategies, ASIDE], object)
    is_his: BoolArray = (window >= 0) & (names[choices.chosen[window]] == positions.strategy)
    is_his &= choices.day[window] == session_days(positions.decided)
    if not is_his.all():
        trade = positions.trade_id[int(np.argmin(is_his))]
        raise DamagedError(f"{trade} is of a strategy that was not chosen then", AGAIN)
    return window


def _by_chooser(choices: RecordedChoices) -> Iterator[tuple[str, BoolArray, bool]]:
    """Yield who chose, (n,) which decisions, and whether it was learnt: all versions together."""
    versions = list(dict.fromkeys(choices.version.tolist()))
    learnt = [version for version in versions if version.startswith(MODEL)]
    if learnt:
        mine = np.isin(choices.version.astype(str), learnt)
        yield _whom(choices, learnt, mine), mine, True
    for version in versions:
        if version not in learnt:
            mine = choices.version == version
            yield _whom(choices, [version], mine), mine, False


def _whom(choices: RecordedChoices, versions: list[str], mine: BoolArray) -> str:
    """Return who made the decisions ``mine`` (n,), and on how many sessions each."""
    if len(versions) > MANY:
        span = f"{len(versions)} versions, {versions[0]} to {versions[-1]},"
        return f"{span} on {_sessions(choices, mine)}"
    return ", ".join(f"{v} on {_sessions(choices, choices.version == v)}" for v in versions)


def _sessions(choices: RecordedChoices, mine: BoolArray) -> str:
    return counted(len(np.unique(choices.day[mine])), "session")


def _table(
    who: str,
    choices: RecordedChoices,
    mine: BoolArray,
    positions: Positions,
    window: IntArray,
    *,
    is_evidence: bool,
) -> ChoiceTable:
    names = [*choices.strategies, STAND_ASIDE]
    some, others = choices.among(mine), len(names)
    taken = some.chosen[:, None] % len(names) == np.arange(len(names))
    possible = np.column_stack([some.possible, np.ones(len(some.ts), np.bool_)])
    code = np.where(mine, choices.chosen % len(names), others)[window]
    *groups, _ = grouped(positions, [*names, "of others"], code, keep_empty=True)
    together = (code == others).astype(np.int64)
    every, _ = grouped(positions, ["all", "of others"], together, keep_empty=True)
    net = np.zeros(len(mine), np.int64)
    np.add.at(net, window, positions.net)

    def line(could: BoolArray, did: BoolArray, trades: Group) -> Line:
        a_window = _a_window(some.day[did], net[mine][did]) if is_evidence else None
        return Line(int(could.sum()), int(did.sum()), trades, a_window)

    lines = [line(possible[:, n], taken[:, n], group) for n, group in enumerate(groups)]
    always = np.ones(len(some.ts), np.bool_)
    picture = drawn(some.ts, some.day, possible, taken)
    return ChoiceTable(who, lines, line(always, always, every), picture)


def _a_window(day: AnyArray, net: IntArray) -> Interval:
    """Return the mean net of some windows, over their sessions."""
    days, place = np.unique(day, return_inverse=True)
    return mean_interval(
        np.bincount(place, net, len(days)), np.bincount(place, minlength=len(days))
    )
