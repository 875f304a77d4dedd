"""The journal of a paper session: the rows it saw, as it saw them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from optiq.errors import InputError
from optiq.market.chain_row import ChainRow
from optiq.market.ingest.batch import Batch, ReadOptions, Sample
from optiq.market.ingest.files import file_digest
from optiq.market.schema import GREEKS, AnyArray

NAME = "session"
APPLICATION_ID = 0x6F707471
"""``optq`` in the header of the file: how a journal is told from other SQLite files."""
_ID_AT = 68


def recognises(sample: Sample) -> bool:
    """Tell a journal by the application id in its header."""
    return sample.head[_ID_AT : _ID_AT + 4] == APPLICATION_ID.to_bytes(4, "big")


def read(path: Path, options: ReadOptions) -> Iterator[Batch]:
    """Yield each journaled row; volatilities and Greeks are computed anew, as for any source."""
    digest = file_digest(path)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            (plan,) = database.execute("SELECT body FROM event WHERE kind = 'session'").fetchone()
            underlying = str(json.loads(plan)["underlying"])
            rows = database.execute("SELECT seq, body FROM event WHERE kind = 'row' ORDER BY seq")
            for seq, body in rows:
                yield _batch(path, digest, underlying, seq, ChainRow.from_bytes(body))
    except (sqlite3.DatabaseError, TypeError) as reason:
        raise InputError(f"{path}: not a whole journal ({reason})", "copy it again") from reason


def _batch(path: Path, digest: str, underlying: str, seq: int, row: ChainRow) -> Batch:
    n = len(row)
    columns: dict[str, AnyArray] = {
        "ts": np.full(n, row.ts),
        "received_ts": np.full(n, row.known),
        "expiry": row.expiry,
        "strike": row.strike,
        "right": row.right.astype(np.int8),
        "spot": np.full(n, row.spot),
        "is_chain": np.full(n, row.is_chain),
    }
    fields = (name for name in row.fields if name not in GREEKS)
    columns |= {name: np.asarray(row.fields[name], np.float64) for name in fields}
    return Batch(
        columns,
        str(path),
        digest,
        underlying=underlying,
        clock="UTC",
        oi_unit="units",
        volume_unit="units",
        iv_unit="fraction",
        row_number=np.full(n, seq),
    )
