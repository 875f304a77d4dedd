"""What is known of one evening: each step, whether it is done, and what it found.

``<store>/evenings/DATE/manifest.json`` is replaced whole after every step, so that whoever is
killed goes on with the step that was under way. Each step carries a digest of what it found.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from optiq.errors import DamagedError
from optiq.market.durable import durable_write

FOLDER, NAME = "evenings", "manifest.json"

State = Literal["open", "done", "failed", "no data"]
StepState = Literal["done", "failed", "skipped"]
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one step: its facts as plain JSON; ``reason`` where it is not done."""

    status: StepState
    facts: Facts = field(default_factory=dict)
    reason: str = ""
    exit_code: int = 0

    @property
    def digest(self) -> str:
        """A hash of all of it."""
        told = [self.status, self.facts, self.reason, self.exit_code]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        told = {"status": self.status, "facts": dict(self.facts), "reason": self.reason}
        return {**told, "exit_code": self.exit_code, "digest": self.digest}


@dataclass(frozen=True, slots=True)
class Manifest:
    """One evening; ``tried`` is when it was last begun, ``told`` what was last sent as an alert.

    ``bytes_before`` and ``bytes_after`` are the sizes of store and models.
    """

    date: dt.date
    state: State = "open"
    tried: str = ""
    told: str = ""
    bytes_before: int = 0
    bytes_after: int = 0
    steps: Mapping[str, Step] = field(default_factory=dict)

    def with_step(self, name: str, step: Step) -> Manifest:
        """Return it with what became of a step."""
        return replace(self, steps={**self.steps, name: step})

    def is_step_done(self, name: str) -> bool:
        """Whether a step is done."""
        return name in self.steps and self.steps[name].status == "done"

    def facts(self, name: str) -> Facts:
        """Return what a step found; nothing where it is not done."""
        return self.steps[name].facts if self.is_step_done(name) else {}

    @property
    def bytes_used(self) -> int:
        """What the evening added to the disk."""
        return max(0, self.bytes_after - self.bytes_before)

    @property
    def exit_code(self) -> int:
        """The status that its first failed step asks for; 10 without data; 0 when done."""
        failed = [step.exit_code for step in self.steps.values() if step.status == "failed"]
        return 10 if self.state == "no data" else next(iter(failed), 0)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "date": self.date.isoformat(),
            "state": self.state,
            "tried": self.tried,
            "told": self.told,
            "bytes_before": self.bytes_before,
            "bytes_after": self.bytes_after,
            "steps": {name: step.to_json() for name, step in self.steps.items()},
        }


def folder_of(store: Path, date: dt.date) -> Path:
    """Return where an evening keeps what it writes."""
    return store / FOLDER / date.isoformat()


def write(store: Path, manifest: Manifest) -> None:
    """Put a manifest in place of the one there is; it is on the disk when this returns."""
    text = json.dumps(manifest.to_json(), indent=1, allow_nan=False)
    durable_write(folder_of(store, manifest.date) / NAME, text + "\n")


def read(store: Path, date: dt.date) -> Manifest | None:
    """Return an evening's manifest, None without one; `DamagedError` if it is not as written."""
    path = folder_of(store, date) / NAME
    try:
        told = json.loads(path.read_text("utf-8"))
        steps = {name: _step(entry, path) for name, entry in told.pop("steps").items()}
        return Manifest(**{**told, "date": dt.date.fromisoformat(told["date"]), "steps": steps})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as reason:
        raise _damaged(path) from reason


def all_of(store: Path) -> list[Manifest]:
    """Return every evening there is, oldest first."""
    found = []
    for path in sorted((store / FOLDER).glob(f"*/{NAME}")):
        manifest = read(store, dt.date.fromisoformat(path.parent.name))
        if manifest is not None:
            found.append(manifest)
    return found


def _step(entry: dict[str, Any], path: Path) -> Step:
    digest = entry.pop("digest")
    step = Step(**entry)
    if step.digest != digest:
        raise _damaged(path)
    return step


def _damaged(path: Path) -> DamagedError:
    return DamagedError(f"{path}: not what an evening wrote", "remove it; the evening runs again")
