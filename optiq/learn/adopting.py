"""Take in a version that was trained elsewhere: opened in a child first, then a candidate."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from optiq.errors import DamagedError, MissingDataError
from optiq.learn import registry
from optiq.learn.foreign import require_sound
from optiq.learn.version_folder import CARD, read_folder

LARGEST_CARD = 4 << 20
OPENERS = {
    ".txt": "optiq.learn.foreign:open_lightgbm",
    ".pt": "optiq.learn.foreign:open_weights",
}
"""What opens a file in the child, by its suffix; the others are JSON, which cannot crash."""


def adopt(
    models: Path,
    folder: Path,
    *,
    render: registry.Render | None = None,
    now: dt.datetime | None = None,
) -> tuple[str, str]:
    """Store the version that lies in ``folder`` as a new candidate; return its kind and version.

    Its card and figures come along, with where it was first made; it serves only once this
    registry's own gate has let it pass. `MissingDataError` where there is no version,
    `DamagedError` where it is not whole or does not survive being opened.
    """
    kind, version = _named(folder)
    stored = read_folder(folder, kind, version)
    for name, content in stored.files.items():
        if opener := OPENERS.get(Path(name).suffix):
            require_sound(content, f"{kind} {version}: {name}", opener)
    card = {**stored.card, "adopted": {"version": version, "created": stored.card.get("created")}}
    return kind, registry.save(models, kind, stored.files, card, render=render, now=now)


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
