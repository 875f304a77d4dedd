"""``optiq reprice``: an old ledger put beside what the recorded chain would have filled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optiq.cli.options import (
    STORE,
    ConfigOption,
    JsonOption,
    SetOption,
    StoreOption,
)

if TYPE_CHECKING:
    from optiq.run.ledger_clock import Reading

TradesArgument = Annotated[
    str, typer.Argument(metavar="TRADES", help="CSV or Parquet file, or postgresql://... URL.")
]
ZoneOption = Annotated[
    str,
    typer.Option(
        "--tz",
        metavar="auto|Asia/Kolkata|UTC",
        help="Clock of times without a zone; auto finds it trade by trade.",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE.csv", help="Write the whole judged ledger there."),
]
CLOCKS: dict[str, Reading | None] = {
    "auto": None,
    "asia/kolkata": "IST",
    "ist": "IST",
    "utc": "UTC",
}


def reprice(
    trades: TradesArgument,
    tz: ZoneOption = "auto",
    out: OutOption = None,
    overrides: SetOption = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    as_json: JsonOption = False,
) -> None:
    """Judge an old ledger: each trade beside what the recorded chain would have filled.

    TRADES has a row a trade: trade_id, entry_time, exit_time, symbol,
    instrument_type (CE, PE, CALL, PUT), strike_price, expiry_date, entry_price,
    quantity (negative where it was sold first, unless a column side says so),
    exit_price, brokerage, taxes, gross_pnl, net_pnl, status; case and usual other
    names do not matter. A trading symbol stands for the contract's columns. Of a
    database, the table trades is read.

    The true entry buys at the first stored row that fills at or after the booked
    moment and walk.latency_s, the true exit sells likewise, and the charges are
    those of that date. Whatever contradicts the chain, the calendar, the dated
    lots or charges, or the ledger itself is a fault, with its evidence.

    The status is 0 whether or not there are faults, 2 for a ledger that cannot be
    read, and 10 where no trade could be priced because its day is not stored.
    """
    from optiq.cli.output import emit, progress
    from optiq.cli.settings import run_settings
    from optiq.errors import InputError
    from optiq.market.store import Store
    from optiq.report.reprice_table import reprice_result, show_reprice
    from optiq.run.judged_file import write_judged
    from optiq.run.old_ledger import read_ledger
    from optiq.run.reprice import reprice as judge

    if tz.lower() not in CLOCKS:
        raise InputError(f"--tz: no clock {tz!r}", "write auto, Asia/Kolkata or UTC")
    if out is not None and out.exists() and Path(trades).exists() and out.samefile(trades):
        raise InputError(f"--out {out} is the ledger itself", "give another file")
    settings, _, _ = run_settings((), config, overrides or [])
    ledger = read_ledger(trades)
    with progress("Repricing", total=None, unit="orders", quiet=as_json) as advance:
        result = judge(
            ledger, Store(store), settings.walk, settings.broker, CLOCKS[tz.lower()], advance
        )
    if out is not None:
        write_judged(result, out)
    told = {**reprice_result(result), "store": store, "out": out}
    emit(told, as_json=as_json, show=lambda screen: show_reprice(screen, result))
