"""Which version serves: the history of promotions of one kind, in one file swapped whole.

``pointer.json`` lists every promotion and rollback in the order of decision, and ends in a hash of
itself. Nothing is ever taken out of it, so it also answers which version a past session had.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optiq.errors import DamagedError
from optiq.market.durable import durable_write

POINTER = "pointer.json"


@dataclass(frozen=True, slots=True)
class Promotion:
    """One decision: from ``takes_effect`` on, ``version`` serves. ``decided_at`` is UTC.

    ``manifest_sha256`` binds it to the bytes that were judged; ``act`` is promote or rollback.
    """

    version: str
    manifest_sha256: str
    takes_effect: dt.date
    decided_at: dt.datetime
    reason: str
    forced: bool = False
    act: str = "promote"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self) | {
            "takes_effect": self.takes_effect.isoformat(),
            "decided_at": self.decided_at.astimezone(dt.UTC).isoformat(),
        }


def history(folder: Path) -> tuple[Promotion, ...]:
    """Return the promotions of a kind in order of decision; none where none was ever made."""
    path = folder / POINTER
    if path.is_symlink():  # the next swap would replace the link, not what it points at
        raise _damaged(path)
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as reason:
        raise _damaged(path) from reason
    try:
        promotions = tuple(_promotion(entry) for entry in json.loads(text)["history"])
    except (ValueError, TypeError, KeyError) as reason:
        raise _damaged(path) from reason
    if _text(promotions) != text:
        raise _damaged(path)
    return promotions


def append(folder: Path, promotion: Promotion) -> None:
    """Add a decision. The caller holds the lock of the kind."""
    durable_write(folder / POINTER, _text((*history(folder), promotion)), option="--models")


def serving(promotions: Sequence[Promotion], session: dt.date | None = None) -> Promotion | None:
    """Return the latest decision in effect on a session; without one, the latest of all."""
    in_effect = (p for p in reversed(promotions) if session is None or p.takes_effect <= session)
    return next(in_effect, None)


def before(promotions: Sequence[Promotion]) -> Promotion | None:
    """Return the latest decision for another version than the one that serves now."""
    if not promotions:
        return None
    now = promotions[-1].version
    return next((p for p in reversed(promotions) if p.version != now), None)


def _promotion(entry: dict[str, Any]) -> Promotion:
    return Promotion(
        **{
            **entry,
            "takes_effect": dt.date.fromisoformat(entry["takes_effect"]),
            "decided_at": dt.datetime.fromisoformat(entry["decided_at"]),
        }
    )


def _text(promotions: Sequence[Promotion]) -> str:
    entries = [promotion.to_json() for promotion in promotions]
    body = json.dumps(entries, sort_keys=True)
    digest = hashlib.sha256(body.encode()).hexdigest()
    return json.dumps({"history": entries, "sha256": digest}, indent=1, sort_keys=True) + "\n"


def _damaged(path: Path) -> DamagedError:
    return DamagedError(
        f"{path}: not the history of promotions that was written",
        "restore it from a backup, or move it away and promote again",
    )
