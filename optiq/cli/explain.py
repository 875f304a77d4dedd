"""``optiq explain``: one trade of a run, told."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from optiq.cli.options import (
    MODELS,
    RUNS,
    STORE,
    AtOption,
    ConfigOption,
    DateOption,
    JsonOption,
    ModelsOption,
    UnderlyingOption,
)

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
DirectionFlag = Annotated[
    bool,
    typer.Option("--direction", help="A forecast of the direction model instead: --date, --at."),
]
VersionOption = Annotated[
    str | None,
    typer.Option(
        "--version",
        help="Whose forecast; without it, whoever served that day, else the newest.",
    ),
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw the forecast as well.")
]
AllRowsOption = Annotated[bool, typer.Option("--all-rows", help="Print every row, fold none.")]


def explain(
    trade: TradeArgument = None,
    decision: DecisionOption = None,
    date: DateOption = None,
    run: RunOption = None,
    all_rows: AllRowsOption = False,
    direction: DirectionFlag = False,
    at: AtOption = None,
    underlying: UnderlyingOption = "NIFTY",
    version: VersionOption = None,
    plot: PlotOption = None,
    config: ConfigOption = None,
    store: StoreOfRun = None,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Tell one trade: why it was made, what filled it, its exit rule row by row, every charge.

    Or, with --decision, what became of one order and what stood in its way; or, with --direction
    --date D --at HH:MM, what the direction model said then, which features and which rows it went
    by.

    The day is walked again with the run's own settings, and must give the trade
    to the paisa; if it does not, the exit status is 3 and the difference is
    printed.
    """
    from optiq.cli.config import folder
    from optiq.cli.output import emit
    from optiq.cli.settings import run_settings
    from optiq.errors import InputError
    from optiq.learn.direction_serving import NONE, direction_named
    from optiq.learn.served_policy import policy_named
    from optiq.learn.served_scorer import scorer_named
    from optiq.market.store import Store
    from optiq.report.trade_story import show_refusal, show_trade
    from optiq.run.explain import explain_trade, find_trade, retell
    from optiq.run.recorded import find_run, read_run
    from optiq.run.refusal import explain_refusal, find_order, session_of, trade_of

    if direction:
        place = store or folder("store", STORE, config)
        asked = (place, models, underlying, date, at, version)
        return _explain_direction(*asked, plot, as_json=as_json)
    if (trade is None) == (decision is None):
        raise InputError("explain what?", "give a TRADE, or --decision ROW:STRATEGY:INDEX")
    recorded = read_run(find_run(run, folder("runs", RUNS, config)))
    trade, day = find_trade(recorded, trade) if trade else (None, session_of(recorded, date))
    sources = recorded.summary.get("strategy_sources", {})
    names = [sources.get(name, name) for name in recorded.summary["strategies"]]
    settings, strategies, _ = run_settings(names, recorded.path / "config.toml", [], environ={})
    place = store or recorded.store or folder("store", STORE, config)
    model = direction_named(models, recorded.summary.get("direction") or NONE)
    scored = (recorded.summary.get("scorer") or {}).get("name")
    index = recorded.summary["underlying"]
    scorer = scorer_named(models, scored, [day], index, in_sample=True)
    policy, seed = recorded.summary.get("policy"), recorded.summary.get("seed") or 0
    chooser = policy_named(models, policy, strategies, seed, [day], index, in_sample=True)
    told = retell(Store(place), recorded, day, strategies, settings, scorer, model, chooser)
    if decision is not None:
        order = find_order(told, decision)
        trade = trade_of(told, order)
        if trade is None:
            refusal = explain_refusal(told, decision, order)
            emit(refusal, as_json=as_json, show=lambda screen: show_refusal(screen, refusal))
            return None
    story = explain_trade(told, str(trade))
    emit(story, as_json=as_json, show=lambda screen: show_trade(screen, story, all_rows))
    return None


def _explain_direction(
    store: Path,
    models: Path,
    underlying: str,
    date: dt.date | None,
    at: dt.time | None,
    version: str | None,
    plot: Path | None,
    *,
    as_json: bool,
) -> None:
    from optiq.cli.output import emit
    from optiq.errors import InputError
    from optiq.learn.direction_look import look
    from optiq.market.store import Store
    from optiq.report.direction_look import drawn, show_look

    if date is None or at is None:
        raise InputError("a forecast of which moment?", "give --date D and --at HH:MM")
    seen = look(models, Store(store), underlying, date, at, version)
    if plot is not None:
        plot.write_text(drawn(seen), encoding="utf-8")
    told = {**seen.told(), "plot": plot}
    emit(told, as_json=as_json, show=lambda screen: show_look(screen, seen))
