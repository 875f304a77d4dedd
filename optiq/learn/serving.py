"""Which version of a kind serves a session: point in time, and plain about what it may have seen.

The one place of these rules, for every kind of model that a run can ask for.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar

from optiq.errors import DamagedError, InputError
from optiq.learn import registry

CHAMPION = "champion"
PROVISIONAL, IN_SAMPLE = "provisional", "in-sample"
"""Of versions that were not the session's champion, or that have learnt from it."""


class Served:
    """Who of a registry serves a run.

    As champion, each session is served by the version whose promotion had taken effect on it, and
    by none before the first; an exact version serves all sessions. Who serves a session is looked
    up once: a promotion in mid-run changes nothing.
    """

    kind: ClassVar[str]

    def __init__(self, root: Path, name: str = CHAMPION) -> None:
        self.root, self.name = root, name
        self._champion = lru_cache(maxsize=None)(partial(registry.at, root, self.kind))

    def version(self, session: dt.date) -> str | None:
        """Return the version that serves a session; None where none does."""
        return self._champion(session) if self.name == CHAMPION else self.name

    def versions(self, sessions: Sequence[dt.date]) -> list[str]:
        """Return the versions that serve some sessions, each once."""
        return sorted({version for day in sessions if (version := self.version(day)) is not None})

    def learnt(self, sessions: Sequence[dt.date]) -> list[dt.date]:
        """Return those of some sessions that the version serving them has learnt from or later."""
        until = {
            version: registry.seen_until(registry.load(self.root, self.kind, version))
            for version in self.versions(sessions)
        }
        return [day for day in sessions if (v := self.version(day)) is not None and day <= until[v]]

    def is_provisional(self, sessions: Sequence[dt.date]) -> bool:
        """Whether one of some sessions is served by a version that was not its champion.

        A version promoted later is one too: it may have been chosen for those very sessions.
        """
        return any(self.version(day) not in (None, self._champion(day)) for day in sessions)

    def standing(self, sessions: Sequence[dt.date]) -> str:
        """Return champion, provisional or in-sample.

        It is "by version" where a version was asked for that was the champion of each session.
        """
        if self.learnt(sessions):
            return IN_SAMPLE
        if self.is_provisional(sessions):
            return PROVISIONAL
        return CHAMPION if self.name == CHAMPION else "by version"

    def told(self, sessions: Sequence[dt.date]) -> dict[str, Any]:
        """Return what a run's summary says of it: its standing, and the sessions of each version.

        ``manifests`` are those of the versions, ``unserved`` counts the sessions before any was
        promoted.
        """
        versions = Counter(self.version(session) for session in sessions)
        unserved = versions.pop(None, 0)
        return {
            "name": self.name,
            "standing": self.standing(sessions),
            "versions": dict(versions),
            "manifests": {version: self.manifest(version) for version in self.versions(sessions)},
            "unserved": unserved,
        }

    def manifest(self, version: str) -> str:
        """Return the SHA-256 of a version's manifest: of every byte of it."""
        return registry.load(self.root, self.kind, version).manifest_sha256

    def require_manifest(self, session: dt.date, manifest: str) -> None:
        """Refuse a session's version where it is not the one of this manifest.

        An empty manifest is one that was never written down, and any will do.
        """
        version = self.version(session)
        if version is not None and manifest not in ("", self.manifest(version)):
            raise DamagedError(
                f"{self.kind} {version} in {self.root} is not the one that was used",
                f"give --models of the registry that holds {self.kind} with manifest {manifest}",
            )

    def require_unseen(self, sessions: Sequence[dt.date]) -> None:
        """Refuse sessions that the version serving them has learnt from."""
        if learnt := self.learnt(sessions):
            raise InputError(
                f"{self.kind} {self.name} has learnt from {len(learnt)} of these {len(sessions)} "
                f"sessions (up to {learnt[-1]})",
                "give later days; optiq backtest --in-sample shows what is no evidence",
            )


def manifests_of(serving: Mapping[str, Served | None], session: dt.date) -> dict[str, str]:
    """Return, by kind, the SHA-256 of the manifest of each version that serves a session."""
    versions = {kind: (one, one.version(session)) for kind, one in serving.items() if one}
    return {kind: one.manifest(version) for kind, (one, version) in versions.items() if version}
