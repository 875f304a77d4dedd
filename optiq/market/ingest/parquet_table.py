"""Any Parquet file whose columns can be matched with ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from optiq.errors import InputError
from optiq.market.ingest.aliases import column_map
from optiq.market.ingest.batch import Batch, ReadOptions, Sample
from optiq.market.ingest.files import file_digest, said_of
from optiq.market.ingest.tables import batches_of, one_line, require_chain

NAME = "parquet"
_BATCH_ROWS = 500_000


def recognises(sample: Sample) -> bool:
    """Whether the file starts as every Parquet file does."""
    return sample.head.startswith(b"PAR1")


def read(path: Path, options: ReadOptions) -> Iterator[Batch]:
    """Yield the file's quotes in pieces of a bounded number of rows."""
    try:
        with pq.ParquetFile(path) as file:
            yield from _pieces(path, file, options)
    except (pa.ArrowException, OSError) as reason:
        raise InputError(
            f"{path}: not a whole Parquet file ({one_line(reason)})", "fetch it again"
        ) from reason


def _pieces(path: Path, file: pq.ParquetFile, options: ReadOptions) -> Iterator[Batch]:
    headers = file.schema_arrow.names
    columns = column_map(headers, options.column_map)
    require_chain(columns, str(path), headers)
    source = said_of(path, file_digest(path), columns, options)
    first_row = 1
    for piece in file.iter_batches(_BATCH_ROWS, columns=columns.theirs()):
        yield from batches_of(pa.Table.from_batches([piece]), source, first_row)
        first_row += piece.num_rows
