"""``optiq backtest``: replay stored days, print what they came to, write the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optiq.cli.options import (
    MODELS,
    RUNS,
    STORE,
    ConfigOption,
    DateOption,
    DirectionOption,
    FromOption,
    JsonOption,
    ModelsOption,
    PolicyOption,
    ScorerOption,
    SeedOption,
    SetOption,
    StoreOption,
    StrategyOption,
    ToOption,
    UnderlyingOption,
)

if TYPE_CHECKING:
    from rich.console import Console

OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Folder of the run; without it, a new one in data/runs."),
]
InSampleOption = Annotated[
    bool,
    typer.Option("--in-sample", help="Let a model serve days it learnt from; everything says so."),
]
CompareOption = Annotated[
    bool,
    typer.Option("--compare", help="Run each strategy alone over the same days, side by side."),
]


def backtest(
    strategy: StrategyOption = None,
    underlying: UnderlyingOption = "NIFTY",
    date: DateOption = None,
    from_date: FromOption = None,
    to_date: ToOption = None,
    compare: CompareOption = False,
    policy: PolicyOption = None,
    scorer: ScorerOption = None,
    in_sample: InSampleOption = False,
    direction: DirectionOption = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    overrides: SetOption = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Replay stored days through strategies, net of every charge of the date.

    The run's folder holds trades, decisions, equity, the summary and the settings as resolved.
    """
    import datetime as dt
    from functools import partial

    from optiq.cli.ages import ages_of, show_ages, told
    from optiq.cli.config import folder, resolved_toml
    from optiq.cli.model_folder import named
    from optiq.cli.output import emit, progress, warn
    from optiq.cli.settings import run_settings, sections_of
    from optiq.errors import InputError
    from optiq.learn.direction.serving import direction_named
    from optiq.learn.policy.served import policy_named, served_by
    from optiq.learn.scorer.served import scorer_named
    from optiq.market.schema import IST
    from optiq.market.store import Store
    from optiq.report.compare_table import show_comparison
    from optiq.report.tables import show_run
    from optiq.run.compare import compare_stored
    from optiq.run.episodes import walk_hash
    from optiq.run.stored import backtest_stored, run_name, sessions

    if date and (from_date or to_date):
        raise InputError("--date and --from or --to", "give one day, or the ends of several")
    settings, strategies, resolved = run_settings(strategy or [], config, overrides or [])
    days = sessions(Store(store), underlying, date or from_date, date or to_date)
    name = run_name(dt.datetime.now(IST), underlying, strategies)
    runs = folder("runs", RUNS, config)
    folders = {"store": store, "runs": runs}
    about = models, direction, strategies, days, underlying
    model = direction_named(*about, in_sample=in_sample)
    if model is not None and (learnt := len(model.learnt(days))):
        warn(f"direction {model.name} has learnt from {learnt} of these sessions: in-sample")
    scores = partial(scorer_named, sessions=days, underlying=underlying, in_sample=in_sample)
    served = named("scorer", scorer, models, scores)
    chooses = partial(
        policy_named,
        strategies=strategies,
        seed=seed,
        sessions=days,
        underlying=underlying,
        in_sample=in_sample,
        rules=walk_hash(settings, strategies),
    )
    chooser = named("policy", policy, models, chooses)
    serving = {"scorer": served, "direction": model, "policy": served_by(chooser)}
    ages = ages_of(models, days[-1], serving, config)
    if compare and chooser:
        raise InputError("--compare and --policy", "compare runs each strategy alone")
    if compare:
        with progress("Comparing", total=len(days), unit="days", quiet=as_json) as advance:
            compared = compare_stored(
                Store(store),
                underlying,
                days,
                strategies,
                settings,
                out or runs / f"{name}-compared",
                lambda team: resolved_toml(sections_of(settings, team), folders),
                scorer=served,
                advance=advance,
                direction=model,
            )
        emit(compared, as_json=as_json, show=lambda screen: show_comparison(screen, compared))
        return
    with progress("Backtesting", total=len(days), unit="days", quiet=as_json) as advance:
        run = backtest_stored(
            Store(store),
            underlying,
            days,
            strategies,
            settings,
            out or runs / name,
            resolved_toml(resolved, folders),
            scorer=served,
            chooser=chooser,
            advance=advance,
            direction=model,
        )

    def show(screen: Console) -> None:
        show_run(screen, run.summary)
        show_ages(screen, ages)

    emit({**run.summary, "models": told(ages)}, as_json=as_json, show=show)
