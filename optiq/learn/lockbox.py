"""Sessions no model has seen, opened only to judge one; every opening is written down first.

Who may look often enough finds luck: a kind is tested at most once per five sessions that no
earlier test has looked at, and no test is run on fewer than twenty.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optiq.errors import DamagedError, EvidenceError
from optiq.learn import ledger_file

LOCKBOX = "lockbox.jsonl"
ENOUGH_UNSEEN = 20
NEW_PER_TEST = 5


@dataclass(frozen=True, slots=True)
class Opening:
    """One look into the lockbox: at what, by whom, when (UTC)."""

    time: str
    version: str
    model_sha256: str
    sessions: tuple[dt.date, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "time": self.time,
            "version": self.version,
            "model_sha256": self.model_sha256,
            "sessions": [session.isoformat() for session in self.sessions],
        }


def openings(folder: Path) -> list[Opening]:
    """Return every opening of a kind's lockbox, oldest first."""
    path = folder / LOCKBOX
    try:
        return [
            Opening(
                entry["time"],
                entry["version"],
                entry["model_sha256"],
                tuple(dt.date.fromisoformat(day) for day in entry["sessions"]),
            )
            for entry in ledger_file.read(path)
        ]
    except (KeyError, TypeError, ValueError) as reason:
        raise DamagedError(f"{path}: not a ledger of openings") from reason


def open_lockbox(
    folder: Path,
    version: str,
    model_sha256: str,
    sessions: Sequence[dt.date],
    now: dt.datetime | None = None,
) -> Opening:
    """Write down that a model is judged on these sessions, and only then let it be.

    `EvidenceError`, with how many more sessions it takes, where they are under twenty or fewer
    than five of them are new to this kind's tests; nothing is written then.
    """
    missing = sessions_missing(folder, sessions)
    if missing:
        reason, more = missing
        raise EvidenceError(f"not promoted: {reason}", f"about {more} more sessions are needed")
    when = (now or dt.datetime.now(dt.UTC)).isoformat(timespec="seconds")
    opening = Opening(when, version, model_sha256, tuple(sorted(sessions)))
    ledger_file.append(folder / LOCKBOX, opening.to_json())
    return opening


def sessions_missing(folder: Path, sessions: Sequence[dt.date]) -> tuple[str, int] | None:
    """Return why a test is not allowed yet and how many more sessions it takes; None if it is."""
    unseen = len(set(sessions))
    if unseen < ENOUGH_UNSEEN:
        return f"{unseen} < {ENOUGH_UNSEEN} unseen sessions", ENOUGH_UNSEEN - unseen
    used = {session for opening in openings(folder) for session in opening.sessions}
    new = len(set(sessions) - used)
    if new < NEW_PER_TEST:
        reason = (
            f"only {new} of {unseen} unseen sessions were not in an earlier test "
            f"(one test per {NEW_PER_TEST} new sessions)"
        )
        return reason, NEW_PER_TEST - new
    return None
