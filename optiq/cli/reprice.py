"""``optiq reprice``: an old ledger judged against the recorded chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optiq.cli.options import STORE, ConfigOption, JsonOption, SetOption, StoreOption

TradesArgument = Annotated[
    str,
    typer.Argument(
        metavar="TRADES",
        help="A CSV or Parquet file, or a postgresql:// URL with a table named trades.",
        show_default=False,
    ),
]
ZoneOption = Annotated[
    str,
    typer.Option(
        "--tz",
        metavar="auto|Asia/Kolkata|UTC",
        help="Zone of times that carry none; auto tells it from session and prices.",
    ),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE.csv", help="Write every judged trade there.")
]


def reprice(
    trades: TradesArgument,
    tz: ZoneOption = "auto",
    out: OutOption = None,
    overrides: SetOption = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    as_json: JsonOption = False,
) -> None:
    """Put each trade of an old ledger beside what the recorded chain would have filled.

    Orders given at the booked moments meet the recorded quotes under the rules
    of a backtest and pay the charges of their date. What is wrong with a booking
    is said with its evidence: docs/reprice.md lists the faults.

    Columns, or usual names like them: entry_time exit_time symbol strike_price
    expiry_date instrument_type entry_price exit_price quantity; and where there
    are, trade_id side brokerage taxes gross_pnl net_pnl exit_type strategy_name
    status.

    The exit status is 0 whether or not faults are found; 10 when no trade could
    be priced for want of recorded days.
    """
    from optiq.cli.output import emit, progress
    from optiq.cli.settings import run_settings
    from optiq.errors import MissingDataError
    from optiq.market.store import Store
    from optiq.report.reprice_table import show_judged
    from optiq.run.judged_ledger import result_of, write_judged
    from optiq.run.old_ledger import read_ledger
    from optiq.run.reprice import Repricing

    settings, _, _ = run_settings((), config, overrides or [])
    repricing = Repricing.of(read_ledger(trades), tz)
    with progress("Repricing", total=repricing.n_days, unit="days", quiet=as_json) as advance:
        judged = repricing.judge(Store(store), settings, advance)
    result = result_of(judged)
    if out is not None:
        write_judged(result, out, trades)
    result |= {"out": out}
    missing = None
    if judged.days_missing and not result["priced"]:
        first, day = judged.days_missing[0]
        missing = MissingDataError(
            f"no trade could be priced: {store} has no {first} quotes of {day}"
            + (f" or {len(judged.days_missing) - 1} other days" * (len(judged.days_missing) > 1)),
            "optiq ingest adds recordings; optiq data ls shows what is stored",
        )
        error = {"code": missing.code, "message": str(missing), "hint": missing.hint}
        result |= {"ok": False, "error": error}
    emit(result, as_json=as_json, show=lambda screen: show_judged(screen, result, str(out or "")))
    if missing is not None:
        if as_json:
            raise typer.Exit(missing.exit_code)
        raise missing
