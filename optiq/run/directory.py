"""The folder of a run: trades, decisions, choices, equity, summary and their settings."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from optiq.errors import CannotCreateError
from optiq.market.schema import AnyArray
from optiq.run import choices
from optiq.run.backtest import DayResult
from optiq.run.summary import equity_curve
from optiq.trade.ledger import Columns, concatenate

if TYPE_CHECKING:
    import pyarrow as pa

MONEY = ("entry_price", "exit_price", "gross_pnl", "charges", "net_pnl")


class RunDirectory:
    """Writes a run beside its final place and moves it there when whole.

    Decisions are written day by day, so memory stays that of one day; trades are few and wait.
    Where a policy chose, ``choices.parquet`` has a row for each of its decisions, and
    ``decisions.parquet`` says under which of them each order was asked for.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._trades: list[Columns] = []
        self._fills: list[Columns] = []
        self._growing: dict[str, Any] = {}

    def __enter__(self) -> Self:
        if self.path.exists():
            raise CannotCreateError(f"{self.path} exists already", "give another --out")
        try:
            shutil.rmtree(self._partial, ignore_errors=True)
            self._partial.mkdir(parents=True)
        except FileExistsError as error:
            raise CannotCreateError(f"cannot create {self._partial}: {error.strerror}") from error
        return self

    def add(self, day: DayResult) -> None:
        """Write one day's decisions and keep its trades."""
        self._trades.append(day.trades())
        self._fills.append(day.fills())
        decisions = day.decisions()
        if day.chosen is not None:
            self._grow(choices.NAME, choices.choices_of(day, day.chosen))
            decisions |= choices.of_orders(day, day.chosen)
        self._grow("decisions.parquet", decisions)

    def _grow(self, name: str, columns: Columns) -> None:
        import pyarrow.parquet as pq

        table = to_table(columns)
        if name not in self._growing:
            target = self._partial / name
            self._growing[name] = pq.ParquetWriter(target, table.schema, compression="zstd")
        self._growing[name].write_table(table)

    def complete(self, summary: dict[str, Any], config_toml: str) -> Columns:
        """Write what remains, move the run to its place and return its trades."""
        import pyarrow.csv as pc
        import pyarrow.parquet as pq

        trades = concatenate(self._trades)
        table = to_table(trades)
        pq.write_table(table, self._partial / "trades.parquet", compression="zstd")
        pc.write_csv(two_decimals(table), self._partial / "trades.csv")
        fills = to_table(concatenate(self._fills))
        pq.write_table(fills, self._partial / "fills.parquet", compression="zstd")
        exit_ts, equity = equity_curve(trades["exit_ts"], trades["net_pnl"])
        curve = to_table({"ts": exit_ts, "equity": equity})
        pq.write_table(curve, self._partial / "equity.parquet", compression="zstd")
        (self._partial / "summary.json").write_text(json.dumps(finite(summary), indent=2) + "\n")
        (self._partial / "config.toml").write_text(config_toml)
        self._close()
        os.rename(self._partial, self.path)
        return trades

    def _close(self) -> None:
        while self._growing:
            self._growing.popitem()[1].close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
        shutil.rmtree(self._partial, ignore_errors=True)


def to_table(columns: Columns) -> pa.Table:
    """Return columns as a pyarrow table: times with zone UTC, days as dates, text as text.

    Two dimensions become lists. NaN becomes null.
    """
    import pyarrow as pa

    return pa.table({name: _column(values) for name, values in columns.items()})


def _column(values: AnyArray) -> pa.Array:
    import pyarrow as pa

    if values.ndim == 2:
        flat = pa.array(values.reshape(-1), from_pandas=True)
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    if values.dtype == object:
        return pa.array(values, pa.string())
    if values.dtype == "datetime64[D]":
        return pa.array(values, pa.date32())
    if values.dtype.kind == "M":
        return pa.array(values.astype("datetime64[us]"), pa.timestamp("us", "UTC"))
    return pa.array(values, from_pandas=True)  # NaN becomes null


def two_decimals(table: pa.Table) -> pa.Table:
    """Return the table with money as exact decimals, so that text shows paise and nothing else."""
    import pyarrow as pa
    import pyarrow.compute as compute

    for name in MONEY:
        rounded = compute.round(table[name], 2)
        exact = compute.cast(rounded, pa.decimal128(18, 2), safe=False)
        table = table.set_column(table.column_names.index(name), name, exact)
    return table


def finite(thing: Any) -> Any:
    """Return JSON-ready data: NaN becomes null, numpy numbers plain ones."""
    if isinstance(thing, dict):
        return {str(key): finite(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [finite(value) for value in thing]
    if isinstance(thing, np.generic):
        return finite(thing.item())
    if isinstance(thing, float) and not np.isfinite(thing):
        return None
    return thing
