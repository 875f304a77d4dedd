"""What every file of a table tells beside its rows: its digest, its name, its folder."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from functools import lru_cache
from pathlib import Path

from optiq.errors import AccessError, InputError
from optiq.market.ingest.aliases import ColumnMap
from optiq.market.ingest.batch import ReadOptions, Sample
from optiq.market.ingest.naming import expiry_of, underlying_of
from optiq.market.ingest.tables import TableSource

_HEAD_BYTES = 64 * 2**10


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes as they lie on disk."""
    about = path.stat()
    return _digest_of(path, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=64)
def _digest_of(path: Path, _size: int, _changed: int) -> str:
    """Read a file's bytes once, though two ask for their digest."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def said_of(path: Path, digest: str, columns: ColumnMap, options: ReadOptions) -> TableSource:
    """Return a file as a table; what no column says is asked of its name and of the options."""
    named = "underlying" in columns.shared
    dated = "expiry" in columns.shared
    return TableSource(
        name=str(path),
        sha256=digest,
        columns=columns,
        underlying=None if named else underlying_of(path, options),
        asked=options.underlying,
        expiry=None if dated else expiry_of(path, options),
    )


def sample_of(path: Path) -> Sample:
    """Read the first bytes of a file, gzip undone."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(path, "rb") as unpacked:
                head = unpacked.read(_HEAD_BYTES)
    except PermissionError as reason:
        raise AccessError(f"{path}: may not be read", "change its permissions") from reason
    except (OSError, EOFError, zlib.error) as reason:
        raise InputError(f"{path}: cannot be read ({reason})", "fetch it again") from reason
    return Sample(path, head)
