"""``optiq explain``: one trade, order, choice or forecast, told."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from optiq.learn.serving import Served
    from optiq.run.recorded import RecordedRun

TradeArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="TRADE|DECISION",
        help="A trade_id such as NIFTY-20250829-0003, or its number in the run; or a policy's "
        "decision such as NIFTY-20250829-D0012, or D12 for the twelfth of the run.",
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
    typer.Option(
        "--run", help="A run's folder, its name in data/runs, or a paper session; else the latest."
    ),
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

    Or one choice of a policy: what was seen, possible, preferred and chosen, and which
    observations moved it. Or, with --decision, what became of one order and what stood in its way;
    or, with --direction
    --date D --at HH:MM, what the direction model said then, which features and which rows it went
    by.

    The day is walked again with the run's own settings, and must give the trade
    to the paisa; if it does not, the exit status is 3 and the difference is
    printed.
    """
    from optiq.cli.config import folder
    from optiq.cli.found_run import found_run
    from optiq.cli.output import emit
    from optiq.cli.settings import run_settings
    from optiq.errors import InputError
    from optiq.learn.direction.serving import NONE, direction_named
    from optiq.learn.policy.served import policy_named, served_by
    from optiq.learn.scorer.served import scorer_named
    from optiq.market.store import Store
    from optiq.report.trade_story import show_refusal, show_trade
    from optiq.run.explain import explain_trade, find_trade, retell
    from optiq.run.explain_choice import names_choice
    from optiq.run.recorded import read_run
    from optiq.run.refusal import explain_refusal, find_order, session_of, trade_of

    if direction:
        place = store or folder("store", STORE, config)
        asked = (place, models, underlying, date, at, version)
        return _explain_direction(*asked, plot, as_json=as_json)
    if (trade is None) == (decision is None):
        raise InputError("explain what?", "give a TRADE, or --decision ROW:STRATEGY:INDEX")
    sessions = store or folder("store", STORE, config)
    recorded = read_run(found_run(run, folder("runs", RUNS, config), sessions))
    if trade is not None and names_choice(trade):
        return _explain_choice(recorded, trade, models, all_rows, as_json=as_json)
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
    _require_used(recorded, "scorer", scorer, day)
    _require_used(recorded, "chosen_by", served_by(chooser), day)
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


def _require_used(recorded: RecordedRun, key: str, served: Served | None, day: dt.date) -> None:
    """Refuse a model whose files are not those that a run says it was made with."""
    if served is not None:
        manifests = (recorded.summary.get(key) or {}).get("manifests", {})
        served.require_manifest(day, manifests.get(served.version(day), ""))


def _explain_choice(
    recorded: RecordedRun, name: str, models: Path, all_rows: bool, *, as_json: bool
) -> None:
    from optiq.cli.output import emit
    from optiq.cli.settings import run_settings
    from optiq.errors import DamagedError
    from optiq.learn.policy.look import moved
    from optiq.learn.policy.served import policy_named, served_by
    from optiq.report.choice_story import show_choice
    from optiq.run.explain_choice import asked_again, find_choice, told

    found = find_choice(recorded, name)
    sources = recorded.summary.get("strategy_sources", {})
    names = [sources.get(name, name) for name in found.strategies]
    _, strategies, _ = run_settings(names, recorded.path / "config.toml", [], environ={})
    asked = (models, found.version, strategies, found.seed, [found.session], found.underlying)
    chooser = policy_named(*asked, in_sample=True)
    if chooser is None:
        raise DamagedError(f"{found.decision_id} was made by nobody", "run it again")
    choice = asked_again(found, chooser)
    story, served = told(found, recorded), served_by(chooser)
    _require_used(recorded, "chosen_by", served, found.session)
    seen = (found.observation, found.mask, choice.index, found.last)
    why = moved(served.bundle(served.name), *seen) if served else None
    story["moved"] = why.told() if why else None
    emit(story, as_json=as_json, show=lambda screen: show_choice(screen, story, all_rows))


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
    from optiq.learn.direction.look import look
    from optiq.market.store import Store
    from optiq.report.direction_look import drawn, show_look

    if date is None or at is None:
        raise InputError("a forecast of which moment?", "give --date D and --at HH:MM")
    seen = look(models, Store(store), underlying, date, at, version)
    if plot is not None:
        plot.write_text(drawn(seen), encoding="utf-8")
    told = {**seen.told(), "plot": plot}
    emit(told, as_json=as_json, show=lambda screen: show_look(screen, seen))
