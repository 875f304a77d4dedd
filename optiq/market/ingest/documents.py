"""Files small enough to be read whole: opened, unpacked and digested with limits."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optiq.errors import AccessError, InputError
from optiq.market.ingest.numbers import shown

LARGEST_BYTES = 256 * 2**20
"""Of one document, packed or unpacked: a thousand times an option chain, and no gzip bomb."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Document:
    """One file's bytes, unpacked; ``sha256`` is of the bytes as they lie on disk."""

    source: str
    sha256: str
    content: bytes


def read_document(path: Path, largest: int = LARGEST_BYTES) -> Document:
    """Read a plain, gzip or single-member zip file."""
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= largest else b""
    except PermissionError as error:
        raise AccessError(f"{path} may not be read", "change its permissions") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if size > largest:
        raise InputError(f"{path} holds {size:,} bytes", "split it: one document is one chain")
    return Document(str(path), hashlib.sha256(raw).hexdigest(), unpacked(raw, path, largest))


def unpacked(raw: bytes, path: Path, largest: int = LARGEST_BYTES) -> bytes:
    """Return the bytes inside a gzip or zip file, and any other bytes as they are."""
    try:
        if raw.startswith(b"\x1f\x8b"):
            content = gzip.GzipFile(fileobj=io.BytesIO(raw)).read(largest + 1)
        elif raw.startswith(b"PK\x03\x04"):
            content = _single_member(raw, path, largest)
        else:
            content = raw
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise InputError(f"{path} is a damaged archive: {error}", "fetch it again") from error
    if len(content) > largest:
        raise InputError(f"{path} unpacks to over {largest:,} bytes", "split it")
    return content


def _single_member(raw: bytes, path: Path, largest: int) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = archive.namelist()
        if len(names) != 1:
            raise InputError(f"{path} holds {len(names)} files", "unpack it and give the folder")
        try:
            with archive.open(names[0]) as member:
                return member.read(largest + 1)
        except NotImplementedError as error:
            raise InputError(f"{path} is packed in an unknown way", "unpack it") from error


def parse_json(document: Document) -> Any:
    """Return what a JSON document holds; InputError says where it breaks off."""
    try:
        return json.loads(document.content, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise InputError(f"{document.source} is nested too deeply to be a chain") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(
            f"{document.source} is not JSON: {error.msg} at {where}",
            "fetch it again; NSE answers a blocked client with a web page",
        ) from error
    except ValueError as error:
        raise InputError(f"{document.source} is not JSON: {shown(str(error))}") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it holds {name}, which is no JSON number")


def json_record(document: Document) -> Record:
    """Return the object a JSON document consists of."""
    found = parse_json(document)
    if not isinstance(found, dict):
        raise InputError(f"{document.source} holds a JSON {type(found).__name__}, not an object")
    return found


def decoded(document: Document) -> str:
    """Return the text of a CSV document: UTF-8, else Latin-1 as old pages were saved."""
    position = document.content.find(b"\0")
    if position >= 0:
        raise InputError(
            f"{document.source} has a NUL at byte {position}", "save it as plain UTF-8 text"
        )
    try:
        return document.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return document.content.decode("latin-1")


def csv_rows(document: Document, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each row ends and its stripped cells; blank rows are left out."""
    reader = csv.reader(io.StringIO(decoded(document), newline=""), delimiter=delimiter)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise InputError(
            f"{document.source}, line {reader.line_num}: {error}", "close the open quote"
        ) from error
