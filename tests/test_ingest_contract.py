"""What every ingest format promises, over one invented document of each vintage and its ruins."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ingest_documents import DOCUMENTS, Document

from optiq.errors import InputError
from optiq.market.ingest.batch import Batch, ReadOptions, Sample
from optiq.market.ingest.formats import FORMATS, format_named, format_of
from optiq.market.schema import COLUMNS, PRICES, UNDERLYINGS

CASES = [
    pytest.param(name, document, id=f"{name}-{document.name}")
    for name, documents in DOCUMENTS.items()
    for document in documents
]
TEXT_CASES = [case for case in CASES if not case.values[1].name.endswith(("parquet", "db"))]
KINDS = {"expiry": "datetime64[D]", "right": "int8", "ts": "datetime64[us]", "is_chain": "bool"}
MUTATIONS = 200


def written(document: Document, folder: Path) -> Path:
    path = folder / document.name
    path.parent.mkdir(parents=True, exist_ok=True)
    document.write(path)
    return path


def head(path: Path) -> bytes:
    content = path.read_bytes()
    return (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)[:65536]


def read_all(name: str, path: Path, options: ReadOptions) -> list[Batch]:
    return list(format_named(name).read(path, options))


def column(batches: list[Batch], name: str) -> Any:
    return np.concatenate([batch.columns[name] for batch in batches])


def require_well_formed(batch: Batch) -> None:
    rows = len(batch.columns["ts"])
    assert set(batch.columns) <= {*COLUMNS, "underlying", "is_chain"}
    assert {"ts", "expiry", "strike", "right"} <= set(batch.columns)
    for name, values in batch.columns.items():
        assert values.shape == (rows,), name
        kind = {**KINDS, "received_ts": "datetime64[us]", "underlying": "object"}.get(name)
        assert values.dtype == np.dtype(kind or "float64"), name
        if values.dtype == np.float64:
            assert not np.isinf(values).any(), name
    assert batch.row_number is None or batch.row_number.shape == (rows,)
    assert batch.underlying is not None or rows == 0 or "underlying" in batch.columns
    for broken in batch.broken:
        assert broken.reason
        assert broken.text.isprintable()
        assert len(broken.text) < 300


def test_every_registered_format_has_a_document_here() -> None:
    assert set(DOCUMENTS) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_knows_its_name(name: str) -> None:
    assert name == format_named(name).NAME


@pytest.mark.parametrize(("name", "document"), CASES)
def test_a_document_is_recognised_by_its_own_format(
    name: str, document: Document, tmp_path: Path
) -> None:
    path = written(document, tmp_path)
    assert name == format_of(Sample(path, head(path))).NAME


@pytest.mark.parametrize(("name", "document"), CASES)
def test_a_document_gives_exactly_its_quotes(name: str, document: Document, tmp_path: Path) -> None:
    batches = read_all(name, written(document, tmp_path), document.options)
    assert not [broken for batch in batches for broken in batch.broken]
    assert set(batches[0].columns) == set(document.columns)
    for column_name, expected in document.columns.items():
        np.testing.assert_array_equal(column(batches, column_name), np.array(expected), column_name)


@pytest.mark.parametrize(("name", "document"), CASES)
def test_a_batch_says_what_it_is(name: str, document: Document, tmp_path: Path) -> None:
    path = written(document, tmp_path)
    for batch in read_all(name, path, document.options):
        require_well_formed(batch)
        assert batch.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert batch.source == str(path)
        assert batch.clock == document.clock
        assert (batch.oi_unit, batch.volume_unit, batch.iv_unit) == document.units
        assert batch.underlying in (None, document.underlying)
        assert document.underlying in UNDERLYINGS


@pytest.mark.parametrize(("name", "document"), CASES)
def test_a_price_is_never_zero(name: str, document: Document, tmp_path: Path) -> None:
    for batch in read_all(name, written(document, tmp_path), document.options):
        for price in PRICES:
            assert not (batch.columns.get(price, np.array([np.nan])) == 0).any()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"data": [], "status": "success"}',
        b'{"data": {"oc": {}}, "chain": {"ce": []}, "records": {"data": []}}',
        b"[" * 100_000,
        b'{"data":' * 50_000,
        b"1" * 5000,
        b"<html><body>Access Denied</body></html>",
        b"\x00" * 64,
        b"CALLS,,PUTS\x00\n",
        b"CALLS,,PUTS\n",
        b'a,b,c\n"never closed\n',
        b"\xff\xfe{\x00}\x00",
        b"PAR1",
        b"\x1f\x8b\x08",
        gzip.compress(b'{"records": {"data": [{}]}}', mtime=0)[:-9],
    ],
    ids=lambda content: ascii(content[:16]),
)
def test_ruins_are_refused_in_one_line_with_the_file_named(
    name: str, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "ruin.dat"
    path.write_bytes(content)
    options = ReadOptions(at="2026-08-18 10:15", expiry="2026-08-25", underlying="NIFTY")
    with pytest.raises(InputError) as caught:
        read_all(name, path, options)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises((InputError, FileNotFoundError), match="absent"):
        read_all(name, tmp_path / "absent.json", ReadOptions())


@pytest.mark.parametrize(("name", "document"), TEXT_CASES)
def test_a_mutated_document_gives_batches_or_an_input_error(
    name: str, document: Document, tmp_path: Path
) -> None:
    """The domain is damage as it happens: flipped bits, lost tails, other types in a place."""
    path = written(document, tmp_path)
    original = path.read_bytes()
    for content in mutations(original, random.Random(f"{name} {document.name}")):
        path.write_bytes(content)
        for batch in batches_or_refusal(name, path, document.options):
            require_well_formed(batch)


def batches_or_refusal(name: str, path: Path, options: ReadOptions) -> list[Batch]:
    """Return what can be read; an InputError of one line is the other allowed end."""
    try:
        return read_all(name, path, options)
    except InputError as error:
        if "\n" in str(error) or not str(error).isprintable():
            raise AssertionError(f"a message for one line: {error!r}") from error
        return []


def mutations(content: bytes, rng: random.Random) -> Iterator[bytes]:
    for turn in range(MUTATIONS):
        damage = (flipped, truncated, retyped, spliced)[turn % 4]
        yield damage(content, rng)


def flipped(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def truncated(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def spliced(content: bytes, rng: random.Random) -> bytes:
    start, stop = sorted(rng.randrange(len(content)) for _ in range(2))
    odd = (
        b"",
        b"\0",
        b'"',
        b",",
        b"1e999",
        b"-0",
        b"\xed\xa0\x80",
        b"9" * 400,
        content[start:stop],
    )
    return content[:start] + rng.choice(odd) + content[stop:]


ODD_VALUES = (
    None, True, -1, 0, 1e308, 10**30, "", "-", "abc", "1,2", "inf", "\ud800", [], {}, [[1]],
    {"CE": 1}, "31-Feb-2026", "25:61",
)  # fmt: skip


def retyped(content: bytes, rng: random.Random) -> bytes:
    """Put an odd value in one place of a JSON document, or in one cell of a table."""
    is_packed = content.startswith(b"\x1f\x8b")
    text = (gzip.decompress(content) if is_packed else content).decode()
    try:
        document = json.loads(text)
    except ValueError:
        cells = text.split(",")
        cells[rng.randrange(len(cells))] = ascii(rng.choice(ODD_VALUES)).strip("'")
        damaged = ",".join(cells).encode()
    else:
        holder, key = rng.choice(list(places(document)))
        holder[key] = rng.choice(ODD_VALUES)
        damaged = json.dumps(document).encode()
    return gzip.compress(damaged) if is_packed else damaged


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)
