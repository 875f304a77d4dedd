"""What a simulated market hides: one Parquet file beside its store, where no feature reads it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optiq.errors import DamagedError, InputError
from optiq.market.durable import make_folder, storage_error, sync_folder
from optiq.market.schema import AnyArray

NAME = "truth.parquet"
STORE_KEY = b"optiq.store"
"""Which of the stores in the folder the file speaks of."""

_TIME = pa.timestamp("us", tz="UTC")


def truth_path(store: Path) -> Path:
    """Return where the truth of a store lies: beside it, never in it."""
    return store.resolve().parent / NAME


def require_free(store: Path) -> None:
    """Refuse when the folder already holds the truth of another store."""
    path = truth_path(store)
    owner = _owner(path)
    if owner is not None and owner != store.resolve().name:
        raise InputError(
            f"{path} belongs to the store {owner!r} beside it, not to {store.name!r}",
            "give --store a folder of its own, such as NAME/store",
        )


def write_truth(
    store: Path, underlying: str, days: Iterable[tuple[dt.date, Mapping[str, AnyArray]]]
) -> Path:
    """Write the days' truth into the store's file; other days already there stay.

    Columns: ``underlying date ts``, ``spot`` (rupees), ``horizon_minutes``, ``spot_ahead`` (the
    level one horizon later), ``probability_up`` (the best forecast that it is higher), and what is
    hidden: ``log_volatility``, a ``latent_`` column for each plant, and what else plants tell
    (``best_strategy``). Null where the session ends first.
    """
    path = truth_path(store)
    tables = [_table(underlying, date, columns) for date, columns in days]
    fresh = pa.concat_tables(tables, promote_options="default")
    kept = _others(path, underlying, fresh)
    whole = pa.concat_tables([kept, fresh], promote_options="default") if kept else fresh
    whole = whole.sort_by([("underlying", "ascending"), ("ts", "ascending")])
    _replace(path, whole.replace_schema_metadata({STORE_KEY: store.resolve().name.encode()}))
    return path


def _owner(path: Path) -> str | None:
    try:
        metadata = pq.read_schema(path).metadata or {}
    except FileNotFoundError:
        return None
    except pa.ArrowException as reason:
        raise DamagedError(f"{path}: cannot be read ({reason})", "delete it") from reason
    owner: bytes = metadata.get(STORE_KEY, b"another program")
    return owner.decode()


def _table(underlying: str, date: dt.date, columns: Mapping[str, AnyArray]) -> pa.Table:
    ts = columns["ts"]
    values = {
        name: pa.array(column, from_pandas=True) for name, column in columns.items() if name != "ts"
    }
    return pa.table(
        {
            "underlying": pa.array([underlying] * len(ts)),
            "date": pa.array([date] * len(ts), pa.date32()),
            "ts": pa.array(ts, pa.timestamp("us")).cast(_TIME),
            **values,
        }
    )


def _others(path: Path, underlying: str, fresh: pa.Table) -> pa.Table | None:
    """Return the rows of days that are not written anew."""
    if not path.exists():
        return None
    stored = pq.read_table(path)
    rewritten = pc.and_(
        pc.equal(stored["underlying"], underlying),
        pc.is_in(stored["date"], value_set=pc.unique(fresh["date"])),
    )
    return stored.filter(pc.invert(rewritten))


def _replace(path: Path, table: pa.Table) -> None:
    make_folder(path.parent)
    half = path.with_name(f".{path.name}.tmp")
    try:
        pq.write_table(table, half, compression="zstd")
        half.replace(path)
        sync_folder(path.parent)
    except OSError as reason:
        half.unlink(missing_ok=True)
        raise storage_error(path, reason) from reason
