"""Broker responses that carry no clock: what was received, and when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from optiq.errors import InputError
from optiq.market.ingest.batch import ReadOptions
from optiq.market.ingest.documents import Document, Record, json_record
from optiq.market.ingest.naming import moment_of
from optiq.market.ingest.numbers import Moment, moment, shown


@dataclass(frozen=True, slots=True)
class Response:
    """One payload, when it was observed, and where it stands in its document."""

    payload: Record
    observed: Moment
    place: str


def responses(document: Document, options: ReadOptions) -> Iterator[Response]:
    """Yield the responses of a document, which is one payload or one envelope a line.

    An envelope is ``{"received_at": "2026-08-18T10:15:00+05:30", "payload": {...}}``; without an
    offset the time is IST. A bare payload takes its time from ``--at`` or the file's name.
    """
    for number, part in enumerate(_parts(document), 1):
        record = json_record(part)
        place = f"response {number}"
        if "payload" in record:
            yield _from_envelope(record, f"{document.source}, {place}", place)
        else:
            yield Response(record, moment_of(Path(document.source), options), place)


def empty_chain(response: Response, source: str) -> InputError:
    """Return what to raise for a response without strikes."""
    status = shown(response.payload.get("status"))
    return InputError(
        f"{source}, {response.place}: an empty chain (status {status})",
        "the expiry asked for may not exist: leave the response out",
    )


def _parts(document: Document) -> list[Document]:
    """Return the lines of a JSON-lines file, or the document itself."""
    lines = [line for line in document.content.splitlines() if line.strip()]
    if len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in lines[:2]):
        return [document]
    try:
        json.loads(lines[0])
    except (ValueError, RecursionError):
        return [document]
    return [
        replace(document, content=line, source=f"{document.source}, line {number}")
        for number, line in enumerate(lines, 1)
    ]


def _from_envelope(envelope: Record, source: str, place: str) -> Response:
    payload, stamp = envelope["payload"], envelope.get("received_at")
    if not isinstance(payload, dict) or not isinstance(stamp, str):
        raise InputError(f"{source} is no envelope", "it needs received_at and payload")
    try:
        found = moment(stamp)
    except ValueError as error:
        raise InputError(f"{source}, received_at: {error}") from error
    return Response(payload, found if found.clock == "UTC" else Moment(found.time, "IST"), place)
