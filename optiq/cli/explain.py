"""``optiq explain``: one trade of a run, told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optiq.cli.options import RUNS, STORE, ConfigOption, DateOption, JsonOption

TradeArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="TRADE",
        help="A trade_id such as NIFTY-20250829-0003, or its number in the run.",
        show_default=False,
    ),
]
DecisionOption = Annotated[
    str | None,
    typer.Option(
        "--decision",
        metavar="ROW:STRATEGY:INDEX",
        help="An order instead, filled or not, by its columns of decisions.parquet.",
    ),
]
RunOption = Annotated[
    str | None,
    typer.Option("--run", help="A run's folder, or its name in data/runs; else the latest."),
]
StoreOfRun = Annotated[
    Path | None,
    typer.Option(
        "--store",
        help="Folder of the recorded chains; without it, the one that the run was made on.",
        rich_help_panel="Common",
    ),
]
AllRowsOption = Annotated[bool, typer.Option("--all-rows", help="Print every row, fold none.")]


def explain(
    trade: TradeArgument = None,
    decision: DecisionOption = None,
    date: DateOption = None,
    run: RunOption = None,
    all_rows: AllRowsOption = False,
    config: ConfigOption = None,
    store: StoreOfRun = None,
    as_json: JsonOption = False,
) -> None:
    """Tell one trade: why it was made, what filled it, its exit rule row by row, every charge.

    Or, with --decision, what became of one order and what stood in its way.

    The day is walked again with the run's own settings, and must give the trade
    to the paisa; if it does not, the exit status is 3 and the difference is
    printed.
    """
    from optiq.cli.config import folder
    from optiq.cli.output import emit
    from optiq.cli.settings import run_settings
    from optiq.errors import InputError
    from optiq.market.store import Store
    from optiq.report.trade_story import show_refusal, show_trade
    from optiq.run.explain import explain_trade, find_trade, retell
    from optiq.run.recorded import find_run, read_run
    from optiq.run.refusal import explain_refusal, find_order, session_of, trade_of

    if (trade is None) == (decision is None):
        raise InputError("explain what?", "give a TRADE, or --decision ROW:STRATEGY:INDEX")
    recorded = read_run(find_run(run, folder("runs", RUNS, config)))
    trade, day = find_trade(recorded, trade) if trade else (None, session_of(recorded, date))
    sources = recorded.summary.get("strategy_sources", {})
    names = [sources.get(name, name) for name in recorded.summary["strategies"]]
    settings, strategies, _ = run_settings(names, recorded.path / "config.toml", [], environ={})
    place = store or recorded.store or folder("store", STORE, config)
    told = retell(Store(place), recorded, day, strategies, settings)
    if decision is not None:
        order = find_order(told, decision)
        trade = trade_of(told, order)
        if trade is None:
            refusal = explain_refusal(told, decision, order)
            emit(refusal, as_json=as_json, show=lambda screen: show_refusal(screen, refusal))
            return
    story = explain_trade(told, str(trade))
    emit(story, as_json=as_json, show=lambda screen: show_trade(screen, story, all_rows))
