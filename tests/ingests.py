"""Ingest as the tests do it: every row accounted for, what was refused read back."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq

from optiq.market.ingest.batch import ReadOptions
from optiq.market.ingest.pipeline import IngestOptions, IngestReport, ingest
from optiq.market.store import Store


def add(store: Store, *sources: object, **said: object) -> IngestReport:
    """Ingest, and check that every row is accounted for."""
    options = IngestOptions(
        merge=bool(said.pop("merge", False)),
        rows_in_memory=int(str(said.pop("rows_in_memory", 1_000_000))),
        read=ReadOptions(**said),  # type: ignore[arg-type]
    )
    report = ingest([str(source) for source in sources], store, options)
    assert report.rows_in == report.rows_kept + report.duplicates + report.quarantined
    for day in store.days():
        assert sum(source.rows_kept for source in day.sources) == day.rows
        for source in day.sources:
            settled = source.rows_kept + source.duplicates + source.quarantined
            assert source.rows_in == settled
    return report


def quarantined(store: Store) -> pd.DataFrame:
    files = sorted(store.root.glob("quarantine/*/*/*.parquet"))
    return pd.concat([pq.read_table(file).to_pandas() for file in files], ignore_index=True)


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.rows_in, report.rows_kept, report.duplicates, report.quarantined
