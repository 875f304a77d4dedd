"""Where an old ledger lies: a CSV or Parquet file, or a live system's own database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from optiq.errors import InputError
from optiq.market.ingest.csv_table import text_table
from optiq.market.ingest.postgres import copied, reading, tables_of
from optiq.market.ingest.sources import expand
from optiq.market.ingest.tables import one_line

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "trades"


def whole_table(source: str) -> tuple[str, pa.Table]:
    """Return what to call a ledger, never with a password, and all of its table."""
    found = expand([source])
    if len(found) != 1:
        raise InputError(f"{source} is {len(found)} files", "give one ledger")
    place = found[0]
    if place.url is not None:
        return f"{place.name}, table {TABLE}", _from_server(place.url, place.name)
    path = Path(str(place.path))
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    return str(path), _from_parquet(path) if is_parquet else text_table(path)


def _from_parquet(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as reason:
        raise InputError(
            f"{path}: not a whole Parquet file ({one_line(reason)})", "fetch it again"
        ) from reason


def _from_server(url: str, name: str) -> pa.Table:
    import pyarrow as pa

    with reading(url, name) as cursor:
        tables = tables_of(cursor)
        if TABLE not in tables:
            raise InputError(
                f"{name}: no table {TABLE!r} among {', '.join(tables) or 'none at all'}",
                "give the database of the system that traded",
            )
        headers = tables[TABLE]
        pieces = list(copied(cursor, TABLE, headers, headers[0]))
    if not pieces:
        return pa.table({header: pa.nulls(0, pa.string()) for header in headers})
    if any(piece.schema != pieces[0].schema for piece in pieces):
        pieces = [_as_text(piece) for piece in pieces]
    return pa.concat_tables(pieces)


def _as_text(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    return table.cast(pa.schema([(name, pa.string()) for name in table.column_names]))
