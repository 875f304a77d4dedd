"""Where compiled code is kept: one folder per state of the sources.

numba notices a change of the file a function lies in, not of the functions it calls: an edited exit
rule would go on running as it was, inside a walk compiled earlier. So the folder's name is a digest
of every source's size and time.
"""

from __future__ import annotations

import os
import sys
import zlib
from contextlib import suppress
from pathlib import Path

KEPT = 12
"""Folders of earlier sources that stay, so that two checkouts do not drive each other out."""


def keep_compiled_code_apart() -> None:
    """Tell numba where to keep what it compiles; ``NUMBA_CACHE_DIR`` of the user stands."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "optiq" / "compiled"
    folder = base / _digest(Path(__file__).parent)
    if not folder.is_dir():
        with suppress(OSError):  # numba then looks for another place itself
            folder.mkdir(parents=True, exist_ok=True)
            _forget_old(base)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(folder)


def nothing_is_compiled_yet() -> bool:
    """Say whether this state of the sources has never run here, so that the first walk waits."""
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    return next(folder.rglob("walk.advance_rows*.nbi"), None) is None


def _digest(package: Path) -> str:
    state = [str(package)]
    for source in sorted([*package.glob("market/*.py"), *package.glob("trade/*.py")]):
        status = source.stat()
        state.append(f"{source.name} {status.st_size} {status.st_mtime_ns}")
    return f"{zlib.crc32('|'.join(state).encode()):08x}"


def _forget_old(base: Path) -> None:
    import shutil

    folders = sorted(base.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in folders[KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)
