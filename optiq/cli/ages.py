"""How old the models of a run are: said of each, and warned of past the limit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from optiq.learn.staleness import Age


class Served(Protocol):
    """Whoever serves a run: which version on a session, None where none does."""

    def version(self, session: dt.date) -> str | None:
        """Return the version."""


def ages_of(
    models: Path, session: dt.date, served: Mapping[str, Served | None], config: Path | None
) -> list[Age]:
    """Return the age on a session of whatever serves it; one past the limit is warned of."""
    from optiq.cli.output import warn
    from optiq.cli.settings import evening_settings
    from optiq.learn.staleness import age_of

    limit = evening_settings(config).stale_after_sessions
    named = {kind: one.version(session) for kind, one in served.items() if one is not None}
    ages = [age_of(models, kind, name, session, limit) for kind, name in named.items() if name]
    for age in ages:
        if age.is_stale:
            warn(f"stale: {age.words}; optiq eod trains another")
    return ages


def show_ages(screen: Any, ages: list[Age]) -> None:
    """Print a line for each."""
    for age in ages:
        screen.print(f"[dim]{age.words}[/dim]", soft_wrap=True)


def told(ages: list[Age]) -> list[dict[str, Any]]:
    """Return plain values for JSON."""
    return [
        {
            "kind": age.kind,
            "version": age.version,
            "seen_until": age.seen_until,
            "sessions": age.sessions,
            "stale": age.is_stale,
        }
        for age in ages
    ]
