"""The policy on the paper screen: who chooses, whom, and how much each was preferred."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from optiq.market.calendar import time_of_day
from optiq.report.screen_parts import METER, meter, pairs
from optiq.report.screen_view import View
from optiq.run.choosing import MODEL, NONE, RANDOM, Decision
from optiq.run.episodes import ENOUGH_EPISODES, ENOUGH_SESSIONS

ASIDE = "aside"


def policy_title(view: View) -> str:
    """Return who chooses, and when last."""
    decision = view.standing.decision
    return view.policy if decision is None else f"{view.policy} at {_clock(decision)}"


def policy_lines(view: View) -> Table:
    """Return who chose whom, and how sure that was, in four lines."""
    table, decision = pairs(), view.standing.decision
    if not view.policy:
        table.add_row("none", Text("every strategy trades", "dim"))
    elif decision is None:
        table.add_row(view.policy, Text("nothing chosen yet", "dim"))
    elif _is_learnt(view):
        table.add_row("by", Text(policy_title(view), "dim"))
        table.add_row("chose", Text(_chosen(view, decision)[0], "bold magenta"))
        table.add_row("ahead", _lead(view, decision))
        table.add_row("possible", _possible(decision))
    else:
        name, chance = _chosen(view, decision)
        table.add_row(view.policy, Text(f"at {_clock(decision)}", "dim"))
        table.add_row("chose", Text.assemble((name, "bold magenta"), f" {chance:.1%}"))
        aside = 1.0 - float(decision.choice.propensity.sum())
        table.add_row("possible", f"{_possible(decision)}, aside {aside:.1%}")
    _add_exploring(table, view)
    while table.row_count < 4:
        table.add_row("", "")
    return table


def policy_table(view: View) -> RenderableType:
    """Return every strategy with its preference or probability, and whom was chosen.

    A learnt policy prefers; any other draws, or always chooses the same.
    """
    decision = view.standing.decision
    if not view.policy or decision is None:
        return policy_lines(view)
    table, (name, _) = pairs(""), _chosen(view, decision)
    masks = [*decision.mask.tolist(), True]
    said = _preferences(decision) if _is_learnt(view) else _chances(decision)
    for who, words, possible in zip((*view.strategies, ASIDE), said, masks, strict=True):
        if not possible:
            table.add_row(Text(who, "dim"), Text("not possible", "dim"))
            continue
        mark = Text(" chosen" if who == name else "")
        table.add_row(Text(who, "bold magenta" if who == name else ""), words + mark)
    _add_exploring(table, view)
    return table


def _add_exploring(table: Table, view: View) -> None:
    progress = view.exploring
    if progress is None or view.policy != RANDOM:
        return
    words = f"{progress.episodes:,}/{ENOUGH_EPISODES:,} {progress.sessions}/{ENOUGH_SESSIONS}"
    style = "green" if progress.is_enough else "cyan"
    full = math.floor(progress.share * METER)
    bar = Text.assemble(("━" * full, style), ("─" * (METER - full), "bright_black"), f" {words}")
    table.add_row(Text("explored", "dim"), bar)


def _chances(decision: Decision) -> Sequence[Text]:
    propensity = decision.choice.propensity
    chances = [*propensity.tolist(), 1.0 - float(propensity.sum())]
    return [meter(chance, 1.0, f"{chance:6.1%}") for chance in chances]


def _preferences(decision: Decision) -> Sequence[Text]:
    """Return bars as long as the largest preference, up or down; standing aside is at 0."""
    said = np.append(decision.choice.preferences, 0.0)
    able = np.append(decision.mask, True)
    largest = float(np.nanmax(np.abs(said[able]), initial=0.0)) or 1.0
    return [_preference(value, largest) for value in said.tolist()]


def _preference(value: float, largest: float) -> Text:
    if math.isnan(value):
        return Text("not learnt", "dim")
    full = min(round(abs(value) / largest * METER), METER)
    style = "green" if value > 0 else "red"
    rest = ("─" * (METER - full), "bright_black")
    return Text.assemble(("━" * full, style), rest, f" {value:+.3f}")


def _lead(view: View, decision: Decision) -> str:
    """Return by how much the choice was preferred to the next best, which may be aside."""
    said = np.append(decision.choice.preferences, 0.0)
    able = np.append(decision.mask, True) & ~np.isnan(said)
    ranked = sorted(np.flatnonzero(able).tolist(), key=lambda place: -said[place])
    if len(ranked) < 2:
        return "alone"
    best, second = ranked[:2]
    names = (*view.strategies, ASIDE)
    return f"+{said[best] - said[second]:.3f} over {names[second]}"


def _possible(decision: Decision) -> str:
    return f"{int(decision.mask.sum())} of {len(decision.mask)}"


def _is_learnt(view: View) -> bool:
    return view.policy.startswith(MODEL)


def _chosen(view: View, decision: Decision) -> tuple[str, float]:
    index, propensity = decision.choice.index, decision.choice.propensity
    if index == NONE:
        return ASIDE, 1.0 - float(propensity.sum())
    return view.strategies[index], float(propensity[index])


def _clock(decision: Decision) -> str:
    return time_of_day(decision.ts)[:5]
