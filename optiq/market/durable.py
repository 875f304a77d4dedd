"""Writing so that a power cut leaves the old or the new, and errors that say what to do."""

from __future__ import annotations

import os
from pathlib import Path

from optiq.errors import AccessError, CannotCreateError, StorageError


def durable_write(path: Path, text: str) -> None:
    """Write a small file so that it is there whole or not at all, even after a power cut."""
    make_folder(path.parent)
    half = path.with_name(f".{path.name}.tmp")
    try:
        with half.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
        sync_folder(path.parent)
    except OSError as reason:
        raise storage_error(path, reason) from reason


def make_folder(path: Path) -> None:
    """Create a folder and its parents, or say why not."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except PermissionError as reason:
        raise AccessError(f"{path}: no permission to write here", "give --store") from reason
    except OSError as reason:
        raise CannotCreateError(f"{path}: {reason.strerror}", "give another --store") from reason


def storage_error(path: Path, reason: OSError) -> AccessError | StorageError:
    """Turn what the system said into an error a person can act on."""
    if isinstance(reason, PermissionError):
        return AccessError(f"{path}: no permission to write here", "give another --store")
    return StorageError(f"{path}: {reason.strerror}", "free some space and run the command again")


def sync_folder(path: Path) -> None:
    """Make renames in a folder last through a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
