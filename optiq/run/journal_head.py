"""The head of a journal: how far it goes, and what its file looked like when it was last settled.

A record of fixed length in a file of its own, overwritten in place after every commit. A process
that is killed cannot tear it; after a power cut it may be older than the journal, never newer, as
it is written when the commit is already on disk.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from optiq.errors import DamagedError

LENGTH = 512


@dataclass(frozen=True, slots=True)
class Head:
    """``seq`` and ``sha`` of the last event; ``file``: the settled file's digest.

    While SQLite moves its log into the file, ``file`` is empty: then the file is not compared.
    """

    seq: int
    sha: str
    file: str

    def to_bytes(self) -> bytes:
        """Return the record, padded to its length."""
        return json.dumps(asdict(self), sort_keys=True).encode().ljust(LENGTH - 1) + b"\n"


def read_head(path: Path) -> Head:
    """Return the head in a file; `DamagedError` where it is not exactly as written."""
    data = path.read_bytes()
    try:
        head = Head(**json.loads(data))
    except (ValueError, TypeError) as error:
        raise DamagedError(f"{path} is damaged: {error}", "restore it from a copy") from error
    if head.to_bytes() != data:
        raise DamagedError(f"{path} is damaged: it reads well, but is not as it was written")
    return head


def write_head(descriptor: int, head: Head, *, durable: bool) -> None:
    """Overwrite the head; ``durable`` waits for the disk."""
    os.pwrite(descriptor, head.to_bytes(), 0)
    if durable:
        os.fsync(descriptor)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
