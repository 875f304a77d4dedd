"""What models there are and whether they are whole, as lists that can be shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from optiq.errors import DamagedError, MissingDataError, OptiqError
from optiq.learn import card, gates, lockbox, registry, trials
from optiq.learn.measured import Measured


@dataclass(frozen=True, slots=True)
class Entry:
    """One version: its alias, from which session it serves, and what its card says first.

    ``fault`` is empty where the version is whole; nothing else is known where it is not.
    """

    kind: str
    version: str
    alias: str
    serves_from: dt.date | None
    forced: bool
    fault: str = ""
    created: str = ""
    seen_until: str = ""
    first_figure: Measured | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was verified; ``fault`` is empty where it is as it was written."""

    kind: str
    what: str
    fault: str = ""


def entries(models: Path, kind: str | None = None) -> list[Entry]:
    """Return every version of every kind, oldest first."""
    kinds = registry.KINDS if kind is None else (kind,)
    return [
        _entry(models, one, version) for one in kinds for version in registry.versions(models, one)
    ]


def verify(models: Path, kind: str | None = None, version: str | None = None) -> list[Check]:
    """Return a check of every version, pointer and ledger; of one version where one is named."""
    if kind is not None and version is not None:
        exact = registry.resolve(models, kind, version)
        return [_checked(kind, exact, lambda: _whole(models, kind, exact))]
    kinds = registry.KINDS if kind is None else (kind,)
    return [check for one in kinds for check in _checks_of(models, one)]


def _checks_of(models: Path, kind: str) -> Iterator[Check]:
    folder = registry.kind_folder(models, kind)
    if not folder.is_dir():
        return
    for version in registry.versions(models, kind):
        yield _checked(kind, version, partial(_whole, models, kind, version))
    yield _checked(kind, "pointer.json", lambda: _promoted_are_there(models, kind))
    yield _checked(kind, lockbox.LOCKBOX, lambda: lockbox.openings(folder))
    yield _checked(kind, gates.VERDICTS, lambda: gates.verdicts(models, kind))
    yield _checked(kind, trials.TRIALS, lambda: trials.trials(models, kind))


def _whole(models: Path, kind: str, version: str) -> None:
    """Read a version with its card, figures among it: a card must be one that could be stored."""
    stored = registry.load(models, kind, version)
    card.figures(stored.card)
    card.baselines(stored.card)
    registry.seen_until(stored)


def _promoted_are_there(models: Path, kind: str) -> None:
    there = registry.versions(models, kind)
    for promotion in registry.promotions(models, kind):
        if promotion.version not in there:
            raise DamagedError(f"{kind} {promotion.version} was promoted and is gone")


def _checked(kind: str, what: str, act: Callable[[], Any]) -> Check:
    try:
        act()
    except OptiqError as error:
        return Check(kind, what, str(error))
    return Check(kind, what)


def _entry(models: Path, kind: str, version: str) -> Entry:
    try:
        alias, since, forced = _standing(models, kind, version)
        stored = registry.load(models, kind, version)
        figures = card.figures(stored.card)
    except (DamagedError, MissingDataError) as error:
        return Entry(kind, version, "", None, False, str(error))
    return Entry(
        kind,
        version,
        alias,
        since,
        forced,
        created=str(stored.card.get("created", "")),
        seen_until=str(stored.card.get("seen_until", "")),
        first_figure=figures[0] if figures else None,
    )


def _standing(models: Path, kind: str, version: str) -> tuple[str, dt.date | None, bool]:
    named = registry.aliases(models, kind)
    alias = next((name for name, held in named.items() if held == version), "")
    latest = next(
        (p for p in reversed(registry.promotions(models, kind)) if p.version == version), None
    )
    return alias, latest.takes_effect if latest else None, bool(latest and latest.forced)
