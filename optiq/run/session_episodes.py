"""The episodes that a paper session logs when it is over, as `optiq episodes build` makes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from optiq.run.asking import ask
from optiq.run.choosing import RANDOM, Chooser, uniform
from optiq.run.day_in_progress import DayInProgress
from optiq.run.episodes import Lines, Origin, episodes_of, write
from optiq.run.seeing import speaker
from optiq.trade.strategies import BUILT_IN, Strategy


def log_episodes(root: Path, session: str, day: DayInProgress, seed: int) -> str:
    """Write a finished day's episodes into the store, and say in words how many.

    Only a session of all the strategies that ship logs them: a policy learns about these.
    """
    if not logs_episodes(day.strategies):
        count = len(day.strategies)
        return f"none: the session ran {count} of its own, not the {len(BUILT_IN)} that ship"
    lines = session_episodes(session, day, seed)
    if not lines:
        return "none: the session saw no chain"
    write(root, day.rows.underlying, day.rows.date, lines, day.strategies)
    return f"{len(lines)} logged"


def logs_episodes(strategies: Sequence[Strategy]) -> bool:
    """Whether a session of some strategies logs episodes."""
    return tuple(strategy.name for strategy in strategies) == BUILT_IN


def session_episodes(session: str, day: DayInProgress, seed: int) -> Lines:
    """Return a finished day's episodes, one dictionary a decision.

    The choices are those that were made and journaled. A session that nobody chose for draws them
    now, as the random policy would have: nothing traded by them, and their shadow results hold
    all the same.
    """
    panel = day.rows.panel()
    chain, rows = panel.chain_only, panel.chain_rows
    chooser, decisions = day.chooser, day.decisions
    if chooser is None:
        chooser, limits = Chooser(RANDOM, uniform, seed), day.settings.limits
        decisions = chooser.decide(chain, rows, day.context, day.strategies, limits)
    orders = ask(chain, rows, day.context, day.strategies)
    who = chooser.on(panel.underlying, panel.date).who
    saw = speaker(day.direction, day.context, panel.date)
    origin = Origin(session, who, chooser.seed, saw)
    return episodes_of(panel, orders, decisions, day.strategies, day.settings, origin)
