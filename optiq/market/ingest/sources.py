"""What the user pointed at: files, folders, globs and database URLs, in a settled order."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qs, urlsplit

from optiq.errors import AccessError, InputError

_NOT_DATA = frozenset({".md", ".txt", ".py", ".ipynb", ".toml", ".sha256", ".log", ".tmp"})
_DATABASE = ("postgres://", "postgresql://")


@dataclass(frozen=True, slots=True)
class Source:
    """One file or one database.

    ``origin`` is the folder the user gave, or the file's own, or the server and database: sources
    of one format whose origins hold one another are one feed. ``url`` may hold a password and is
    never shown.
    """

    name: str
    origin: str
    path: Path | None = None
    url: str | None = None


def expand(given: Iterable[str]) -> list[Source]:
    """Return every source once, sorted by name within what was given."""
    found: dict[str, Source] = {}
    for text in given:
        for source in _expanded(text):
            found.setdefault(source.name, source)
    return list(found.values())


def _expanded(text: str) -> Iterator[Source]:
    if text.startswith(_DATABASE):
        yield _database(text)
        return
    path = Path(text)
    if path.is_dir():
        files = [file for file in sorted(_inside(path)) if _is_data(path, file)]
        if not files:
            raise InputError(f"{path}: an empty folder", "give a folder of recordings")
        yield from (Source(str(file), str(path.resolve()), file) for file in files)
    elif path.is_file():
        yield Source(str(path), str(path.resolve().parent), path)
    else:
        matches = [Path(name) for name in sorted(glob.glob(text, recursive=True))]
        files = [file for file in matches if file.is_file()]
        if not files:
            raise InputError(
                f"no file {text}", "give a file, a folder, a glob or a postgresql:// URL"
            )
        origin = str(_glob_root(text).resolve())
        yield from (Source(str(file), origin, file) for file in files)


def _inside(root: Path) -> Iterator[Path]:
    """Yield every file below a folder; one that may not be looked into is refused, not skipped."""

    def refuse(reason: OSError) -> NoReturn:
        raise AccessError(f"{reason.filename}: may not be read", "change its permissions")

    for folder, _, names in os.walk(root, onerror=refuse):
        yield from (Path(folder, name) for name in names)


def _is_data(root: Path, file: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    return file.is_file() and not hidden and file.suffix.lower() not in _NOT_DATA


def _glob_root(pattern: str) -> Path:
    fixed = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed)


def _database(url: str) -> Source:
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    try:
        port = parts.port or asked.get("port", [None])[0]
    except ValueError as reason:
        raise InputError(f"a database URL with a strange port: {reason}") from None
    host = parts.hostname or asked.get("host", [""])[0]
    name = f"postgresql://{host}{f':{port}' if port else ''}{parts.path}"
    return Source(name, name, url=url)


def is_one_feed(origin: str, other: str) -> bool:
    """Whether one origin is the other or a folder inside it.

    >>> is_one_feed("/data/nse", "/data/nse/2026"), is_one_feed("/data/nse", "/data/nse2")
    (True, False)
    """
    return (
        origin == other
        or f"{origin}/".startswith(f"{other}/")
        or f"{other}/".startswith(f"{origin}/")
    )
