"""Take in a version that was trained elsewhere: opened in a child first, then a candidate."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from optiq.errors import DamagedError, InputError, MissingDataError, OptiqError
from optiq.learn import registry
from optiq.learn.foreign import require_all_sound
from optiq.learn.version_folder import CARD, Stored, files_sha256, read_folder, write_folder

LARGEST_CARD = 4 << 20
OPENERS = {
    ".txt": "optiq.learn.foreign:open_lightgbm",
    ".pt": "optiq.learn.foreign:open_weights",
}
"""What opens a file in the child, by its suffix; the others are JSON, which cannot crash."""
_PLACE = ("version", "created", "parent", "adopted")


def adopt(
    models: Path,
    folder: Path,
    *,
    render: registry.Render | None = None,
    now: dt.datetime | None = None,
) -> tuple[str, str]:
    """Store the version that lies in ``folder`` as a new candidate; return its kind and version.

    Its card and figures come along, with where it was first made; it serves only once this
    registry's own gate has let it pass. One that the registry holds already is not stored again.
    `MissingDataError` where there is no version, `DamagedError` where it is not whole or does not
    survive being opened.
    """
    stored = read_folder(folder, *_named(folder))
    known = known_as(models, stored)
    if known is None:
        _require_openable(stored)
    return stored.kind, known or _stored_as(models, stored, render, now)


def taken_in(
    models: Path,
    kind: str,
    folder: Path,
    ask: Callable[[Path, str], object],
    *,
    render: registry.Render | None = None,
    refusal: OptiqError | None = None,
) -> str:
    """Return which version of a registry lies in ``folder``; where none does, it is stored first.

    ``ask`` is what a run asks of a registry and a version of it. It is asked of a registry of its
    own before anything is stored, so that what cannot serve the run leaves nothing behind. With
    ``refusal`` nothing may be stored, and that is raised.
    """
    stored = read_folder(folder, *_named(folder))
    if stored.kind != kind:
        raise InputError(f"{folder} holds a {stored.kind}, not a {kind}", "give another folder")
    if known := known_as(models, stored):
        return known
    if refusal is not None:
        raise refusal
    _require_openable(stored)
    with tempfile.TemporaryDirectory(prefix="optiq-") as place:
        _ask_apart(Path(place), stored, ask)
    return _stored_as(models, stored, render, None)


def known_as(models: Path, stored: Stored) -> str | None:
    """Return the newest version of a registry with these files and this card; None without one."""
    for version in reversed(registry.versions(models, stored.kind)):
        try:
            other = registry.load(models, stored.kind, version)
        except DamagedError:
            continue
        if _content(other) == _content(stored):
            return version
    return None


def _content(stored: Stored) -> tuple[str, Mapping[str, Any]]:
    """Return what a version says wherever it lies: all but where and when it was stored."""
    card = {key: value for key, value in stored.card.items() if key not in _PLACE}
    return files_sha256(stored.files), card


def _ask_apart(place: Path, stored: Stored, ask: Callable[[Path, str], object]) -> None:
    version = registry.resolve(place, stored.kind, stored.version)
    card = json.dumps(stored.card).encode()
    write_folder(place / stored.kind / version, {**stored.files, CARD: card})
    ask(place, version)


def _require_openable(stored: Stored) -> None:
    for suffix, opener in OPENERS.items():
        files = {
            f"{stored.kind} {stored.version}: {name}": content
            for name, content in stored.files.items()
            if Path(name).suffix == suffix
        }
        if files:
            require_all_sound(files, opener)


def _stored_as(
    models: Path, stored: Stored, render: registry.Render | None, now: dt.datetime | None
) -> str:
    origin = {"version": stored.version, "created": stored.card.get("created")}
    card = {**stored.card, "adopted": origin}
    return registry.save(models, stored.kind, stored.files, card, render=render, now=now)


def _named(folder: Path) -> tuple[str, str]:
    """Return the kind and version that the card of a folder names; nothing else is read."""
    path = folder / CARD
    try:
        with path.open("rb") as file:
            card: Any = json.loads(file.read(LARGEST_CARD))
        return str(card["kind"]), str(card["version"])
    except OSError as reason:
        raise MissingDataError(
            f"no version of a model in {folder}: {reason.strerror}",
            "give the folder that holds card.json and MANIFEST.sha256",
        ) from reason
    except (ValueError, TypeError, KeyError) as reason:
        raise DamagedError(f"{path} is not the card of a model", "take another copy") from reason
