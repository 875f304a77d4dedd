"""How old who serves is: in sessions, since the last one it has seen."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from optiq.learn import registry
from optiq.learn.evening.calendar import sessions_since


@dataclass(frozen=True, slots=True)
class Age:
    """The age of a model on a session; ``limit`` is from when on it is told as a warning."""

    kind: str
    version: str
    seen_until: dt.date
    sessions: int
    limit: int

    @property
    def is_stale(self) -> bool:
        """Whether it is past the limit."""
        return self.sessions > self.limit

    @property
    def words(self) -> str:
        """Return it as a sentence."""
        return (
            f"{self.kind} {self.version} has seen nothing since {self.seen_until}: "
            f"{self.sessions} sessions (limit {self.limit})"
        )


def age_of(models: Path, kind: str, version: str, session: dt.date, limit: int) -> Age:
    """Return how old a version is on a session."""
    stored = registry.load(models, kind, version)
    seen = registry.seen_until(stored)
    underlying = str((stored.card.get("underlyings") or ["NIFTY"])[0])
    return Age(kind, stored.version, seen, sessions_since(seen, session, underlying), limit)


def champions(models: Path, session: dt.date, limit: int) -> list[Age]:
    """Return the age of every champion in effect on a session."""
    serving = ((kind, registry.at(models, kind, session)) for kind in registry.KINDS)
    return [age_of(models, kind, name, session, limit) for kind, name in serving if name]
