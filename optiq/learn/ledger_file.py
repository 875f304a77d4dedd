"""A file that only grows, one JSON object a line, each line bound to the one before it.

An entry is on the disk before the call that wrote it returns. Every line carries a hash of itself
and its predecessor, so that a line changed or taken out of the middle is found; a last line
without an end is a write that a power cut stopped, and counts as not written.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from optiq.errors import DamagedError
from optiq.market.durable import durable_step, make_folder, storage_error, sync_folder

LINK = "link"
"""The key of the hash in each line."""


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """Add an entry of plain JSON and return when it is on the disk; waits for other writers."""
    make_folder(path.parent, option="--models")
    try:
        with path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            whole = _whole(file)
            if file.tell() > len(whole):
                file.truncate(len(whole))
            file.write(_line(entry, _last_link(whole, path)))
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
        durable_step()
    except OSError as reason:
        raise storage_error(path, reason, option="--models") from reason


def read(path: Path) -> list[dict[str, Any]]:
    """Return the entries, oldest first; none without a file.

    `DamagedError` where a line is not what was written.
    """
    try:
        with path.open("rb") as file:
            whole = _whole(file)
    except FileNotFoundError:
        return []
    except OSError as reason:
        raise storage_error(path, reason, option="--models") from reason
    return [{k: v for k, v in entry.items() if k != LINK} for entry in _entries(whole, path)]


def _last_link(content: bytes, path: Path) -> str:
    """Return what the next line binds to; reading checks all lines, writing need not."""
    if not content:
        return ""
    try:
        return str(json.loads(content[content[:-1].rfind(b"\n") + 1 :])[LINK])
    except (ValueError, KeyError, TypeError) as reason:
        raise _damaged(path, content.count(b"\n")) from reason


def _whole(file: IO[bytes]) -> bytes:
    """Return the lines that have an end."""
    file.seek(0)
    content = file.read()
    return content[: content.rfind(b"\n") + 1]


def _entries(content: bytes, path: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        before = entries[-1][LINK] if entries else ""
        try:
            entry = json.loads(line)
            bare = {key: value for key, value in entry.items() if key != LINK}
            is_written = _line(bare, before) == line
        except (ValueError, AttributeError):
            is_written = False
        if not is_written:
            raise _damaged(path, number)
        entries.append(entry)
    return entries


def _damaged(path: Path, line: int) -> DamagedError:
    return DamagedError(f"{path}: line {line} is not what was written", "restore it from a backup")


def _line(entry: Mapping[str, Any], before: str) -> bytes:
    body = json.dumps(entry, sort_keys=True, allow_nan=False)
    link = hashlib.sha256(f"{before}\n{body}".encode()).hexdigest()
    return f"{json.dumps({**entry, LINK: link}, sort_keys=True, allow_nan=False)}\n".encode()
