"""Writing so that a power cut leaves the old or the new, and errors that say what to do."""

from __future__ import annotations

import fcntl
import itertools
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optiq.errors import AccessError, BusyError, CannotCreateError, StorageError

_steps = itertools.count(1)


def durable_write(path: Path, text: str, *, option: str = "--store") -> None:
    """Write a small file so that it is there whole or not at all, even after a power cut.

    ``option`` is what a person would give to write elsewhere.
    """
    make_folder(path.parent, option=option)
    half = path.with_name(f".{path.name}.tmp")
    try:
        with half.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        durable_step()
        half.replace(path)
        sync_folder(path.parent)
        durable_step()
    except OSError as reason:
        raise storage_error(path, reason, option=option) from reason


@contextmanager
def held(path: Path, busy: str, hint: str) -> Iterator[None]:
    """Hold a lock file; `BusyError`, naming the holder, when another process does.

    The system frees it when its holder dies, however that happens. The file itself stays: a lock
    file that is deleted can be held twice.
    """
    try:
        handle = path.open("a+", encoding="utf-8")
    except OSError as reason:
        raise storage_error(path, reason) from reason
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            handle.seek(0)
            raise BusyError(f"{busy} ({handle.read().strip() or 'starting'})", hint) from taken
        handle.truncate(0)
        handle.write(f"process {os.getpid()}\n")
        handle.flush()
        yield


def make_folder(path: Path, *, option: str = "--store") -> None:
    """Create a folder and its parents, or say why not."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except PermissionError as reason:
        raise AccessError(f"{path}: no permission to write here", f"give {option}") from reason
    except OSError as reason:
        raise CannotCreateError(f"{path}: {reason.strerror}", f"give another {option}") from reason


def storage_error(
    path: Path, reason: OSError, *, option: str = "--store"
) -> AccessError | StorageError:
    """Turn what the system said into an error a person can act on."""
    if isinstance(reason, PermissionError):
        return AccessError(f"{path}: no permission to write here", f"give another {option}")
    return StorageError(f"{path}: {reason.strerror}", "free some space and run the command again")


def sync_folder(path: Path) -> None:
    """Make renames in a folder last through a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def durable_step() -> None:
    """Die here when a test asks for it: a process may be killed after each of its durable steps.

    ``OPTIQ_TEST_DIE_AT`` is the number of the step; they are counted only while it is set.
    """
    asked = os.environ.get("OPTIQ_TEST_DIE_AT")
    if asked is not None and asked == str(next(_steps)):
        os.kill(os.getpid(), signal.SIGKILL)
