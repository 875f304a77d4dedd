"""A server's answers as the documents that the readers of recordings know."""

from __future__ import annotations

import datetime as dt

import numpy as np

from optiq.errors import InputError
from optiq.market.ingest.batch import ReadOptions
from optiq.market.ingest.documents import Document
from optiq.market.ingest.numbers import expiry_day


def document(name: str, body: bytes) -> Document:
    """Return a body as a document; a live row is digested in the journal, not here."""
    return Document(name, "", body)


def on_arrival(
    arrived: np.datetime64, expiry: dt.date, underlying: str | None = None
) -> ReadOptions:
    """Return what is known of an answer without a clock: it is of the moment it arrived.

    ``underlying`` is for answers that do not say whose options they hold.
    """
    return ReadOptions(underlying=underlying, expiry=expiry.isoformat(), at=f"{arrived}Z")


def listed_days(found: object, name: str) -> list[dt.date]:
    """Return a list of days as written in JSON, ascending; `InputError` where it is none."""
    if not isinstance(found, list):
        raise InputError(f"{name} listed no expiries")
    try:
        days: set[dt.date] = {expiry_day(text).astype(dt.date) for text in found}
    except ValueError as error:
        raise InputError(f"{name} listed {error}") from error
    return sorted(days)
