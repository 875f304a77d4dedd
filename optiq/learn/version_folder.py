"""One version of a model on disk: native files, a card, and a manifest that is checked first.

LightGBM's parser aborts the process on damaged text, and a pickle runs whatever it holds; so no
parser sees a byte before its file's size and SHA-256 are those of the manifest, and the manifest
itself is exactly what this module writes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optiq.errors import DamagedError, InputError, MissingDataError
from optiq.market.durable import durable_step, make_folder, storage_error, sync_folder

MANIFEST, CARD, CARD_PAGE = "MANIFEST.sha256", "card.json", "card.html"
TEMPORARY = ".tmp-"
LARGEST_MANIFEST = 64 * 1024
_LINE = re.compile(r"([0-9a-f]{64}) +([0-9]{1,15})  ([A-Za-z0-9_][A-Za-z0-9_.-]{0,99})\n")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_PICKLES = (".pkl", ".pickle", ".joblib", ".p", ".dill")
RESTORE = "restore the folder from a backup, or delete it and train again"


@dataclass(frozen=True, slots=True)
class Stored:
    """A verified version: its files by name (card and page apart) and its card.

    ``manifest_sha256`` names the whole version; a promotion binds to it.
    """

    kind: str
    version: str
    folder: Path
    files: Mapping[str, bytes]
    card: Mapping[str, Any]
    manifest_sha256: str

    @property
    def model_sha256(self) -> str:
        """The hash of the model's files, that figures name."""
        return files_sha256(self.files)


def files_sha256(files: Mapping[str, bytes]) -> str:
    """Return one hash of several files: of their manifest lines, in order of their names."""
    return _sha256("".join(_line(name, files[name]) for name in sorted(files)).encode())


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a version so that it is there whole or not at all, even after a power cut.

    Files, manifest and folder are fsynced under a temporary name, the folder is renamed, and the
    parent fsynced. The caller holds the lock of the kind.
    """
    _check_names(files)
    manifest = "".join(_line(name, files[name]) for name in sorted(files)).encode()
    half = folder.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
    make_folder(folder.parent, option="--models")
    try:
        half.mkdir()
        for name, content in {**files, MANIFEST: manifest}.items():
            _write(half / name, content)
        sync_folder(half)
        durable_step()
        half.rename(folder)
        sync_folder(folder.parent)
        durable_step()
    except OSError as reason:
        raise storage_error(folder, reason, option="--models") from reason
    finally:
        shutil.rmtree(half, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Delete what interrupted writes left behind. The caller holds the lock of the kind."""
    for half in parent.glob(f"{TEMPORARY}*"):
        shutil.rmtree(half, ignore_errors=True)


def read_folder(folder: Path, kind: str, version: str) -> Stored:
    """Read and verify a version; `MissingDataError` without it, `DamagedError` if it is not whole.

    Nothing is parsed, and nothing else is read, before all sizes and hashes agree.
    """
    what = f"{kind} {version}"
    if not folder.is_dir() or folder.is_symlink():
        raise MissingDataError(f"no {what} in {folder.parent}", "see optiq models ls")
    try:
        manifest = _read(folder / MANIFEST, LARGEST_MANIFEST)
        listed = _parse(manifest, what)
        _check_listing(folder, listed, what)
        files = {name: _verified(folder / name, *proof, what) for name, proof in listed.items()}
    except OSError as reason:
        raise DamagedError(f"{what}: cannot read {folder}: {reason.strerror}", RESTORE) from reason
    card = _card(files.pop(CARD, b""), kind, version)
    files.pop(CARD_PAGE, None)
    return Stored(kind, version, folder, files, card, _sha256(manifest))


def _card(content: bytes, kind: str, version: str) -> dict[str, Any]:
    try:
        card = json.loads(content)
    except ValueError as reason:
        raise DamagedError(f"{kind} {version}: {CARD} is not JSON", RESTORE) from reason
    if not isinstance(card, dict) or (card.get("kind"), card.get("version")) != (kind, version):
        raise DamagedError(f"{kind} {version}: its card is of another version", RESTORE)
    return card


def _check_names(files: Mapping[str, bytes]) -> None:
    for name in files:
        if not _NAME.fullmatch(name) or name == MANIFEST:
            raise InputError(f"a model file named {name!r}", "letters, digits, _, - and .")
        if name.lower().endswith(_PICKLES):
            raise InputError(
                f"a model file named {name!r}", "pickles are not stored: they run code"
            )


def _line(name: str, content: bytes) -> str:
    return f"{_sha256(content)} {len(content)}  {name}\n"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path, at_most: int) -> bytes:
    """Read a plain file, one byte more than ``at_most`` if it is longer; never through a link."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, f"{path.name} is no plain file")
        return file.read(at_most + 1)


def _parse(manifest: bytes, what: str) -> dict[str, tuple[str, int]]:
    text = manifest.decode("utf-8", "replace")
    listed = {name: (digest, int(size)) for digest, size, name in _LINE.findall(text)}
    written = "".join(f"{listed[name][0]} {listed[name][1]}  {name}\n" for name in sorted(listed))
    if written != text or CARD not in listed:
        raise DamagedError(f"{what}: {MANIFEST} is not what was written", RESTORE)
    return listed


def _check_listing(folder: Path, listed: Mapping[str, object], what: str) -> None:
    there = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    for name in sorted(there ^ {*listed, MANIFEST}):
        fault = "is missing" if name in listed else "is not in its manifest"
        raise DamagedError(f"{what}: {name} {fault}", RESTORE)


def _verified(path: Path, digest: str, size: int, what: str) -> bytes:
    content = _read(path, size)
    if len(content) != size or _sha256(content) != digest:
        raise DamagedError(f"{what}: {path.name} is not what was written", RESTORE)
    return content
