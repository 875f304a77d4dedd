"""What the paper screen shows, as values: nothing here draws and nothing computes a price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optiq.market.calendar import Session
from optiq.run.exploring import Progress
from optiq.run.standing import Standing
from optiq.trade.limits import Limits


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened: the time in India, a word, the rest, and a Rich style."""

    time: str
    word: str
    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Health:
    """How the feed does.

    ``age_s`` is how old the last quote is, NaN before the first; ``stale_after`` when that is too
    old. ``faults`` counts failed polls by kind, ``last_fault`` tells the last one; ``troubles``
    are of alerts and the heartbeat.
    """

    age_s: float
    stale_after: float
    faults: Mapping[str, int]
    last_fault: str
    troubles: Sequence[str]


@dataclass(frozen=True, slots=True)
class View:
    """One look at a session.

    ``strategies`` and ``policy`` name who trades and who chooses among them (empty: all trade);
    ``minute`` is the IST minute of the day, ``lines`` the latest happenings, newest last.
    ``exploring`` is what is logged so far with this session, None where it counts for nothing.
    """

    title: str
    session: Session
    minute: float
    standing: Standing
    limits: Limits
    health: Health
    strategies: Sequence[str]
    policy: str
    lines: Sequence[Line]
    exploring: Progress | None = None
