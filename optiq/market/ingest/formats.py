"""Which formats are known, and which one a file is in."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import cast

from optiq.errors import InputError
from optiq.market.ingest.batch import Format, Sample

FORMATS = {
    "nse": "nse",
    "upstox": "upstox",
    "dhan": "dhan",
    "kite": "kite",
    "nubra": "nubra",
    "bhavcopy": "bhavcopy",
    "nse_csv": "nse_csv",
    "flat": "flat",
    "session": "session_journal",
    "sqlite": "sqlite_table",
    "parquet": "parquet_table",
    "csv": "csv_table",
}
"""The module of each format; specific before general: the first that recognises a sample wins."""


def format_named(name: str) -> Format:
    """Return the module of a format; it is imported here, because some need pyarrow."""
    if name not in FORMATS:
        raise InputError(f"no format {name!r}", f"known are {', '.join(FORMATS)}")
    return cast(Format, import_module(f"optiq.market.ingest.{FORMATS[name]}"))


def formats() -> Iterator[Format]:
    """Yield every known format in the order in which they are asked."""
    return (format_named(name) for name in FORMATS)


def format_of(sample: Sample) -> Format:
    """Return the first format that recognises a sample."""
    for candidate in formats():
        if candidate.recognises(sample):
            return candidate
    raise InputError(
        f"{sample.path} is in no known format", "name one with --format, or columns with --map"
    )
