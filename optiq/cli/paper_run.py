"""``optiq paper-run``: trade on paper, from a replayed day or a live feed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optiq.cli.options import (
    MODELS,
    STORE,
    ConfigOption,
    DateOption,
    DirectionOption,
    JsonOption,
    ModelsOption,
    PolicyOption,
    ScorerOption,
    SeedOption,
    SetOption,
    StoreOption,
    StrategyOption,
    UnderlyingOption,
)
from optiq.cli.paper_watch import AlertOnOption, AlertOption, FlattenOption, PlainOption

if TYPE_CHECKING:
    from rich.console import Console

    from optiq.cli.paper_source import DaySource
    from optiq.run.paper import PaperSession, Watcher
    from optiq.run.plan import Plan

FeedOption = Annotated[
    str,
    typer.Option(
        "--feed",
        metavar="replay|upstox|dhan|nse",
        help="Where the rows come from: a stored day, or today's market.",
    ),
]
SpeedOption = Annotated[
    str, typer.Option("--speed", metavar="1|10|max", help="How many times as fast a replay runs.")
]
SessionOption = Annotated[
    str | None,
    typer.Option("--session", help="Its name; one that exists is resumed where it ends."),
]
SnapshotOption = Annotated[
    float | None,
    typer.Option("--snapshot-seconds", help="Live: between two chain snapshots; 60 if not given."),
]
MonitorOption = Annotated[
    float | None,
    typer.Option("--monitor-seconds", help="Live: between two looks at what is held; 2."),
]
StaleOption = Annotated[
    float | None,
    typer.Option("--stale-after", help="Live: seconds without a good row that are told; 180."),
]


def paper_run(
    strategy: StrategyOption = None,
    feed: FeedOption = "replay",
    underlying: UnderlyingOption = "NIFTY",
    date: DateOption = None,
    speed: SpeedOption = "max",
    session: SessionOption = None,
    policy: PolicyOption = None,
    scorer: ScorerOption = None,
    direction: DirectionOption = None,
    seed: SeedOption = 0,
    snapshot_seconds: SnapshotOption = None,
    monitor_seconds: MonitorOption = None,
    stale_after: StaleOption = None,
    flatten: FlattenOption = False,
    alert: AlertOption = None,
    alert_on: AlertOnOption = None,
    plain: PlainOption = False,
    overrides: SetOption = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Trade on paper: the strategies and the walk of a backtest, row by row.

    Every row, and all that came of it, is journaled before it is shown. Stopped or killed, the
    same command goes on where the journal ends. No order ever leaves this machine. A live feed
    ends by itself after the close, its rows go into the store, and what every strategy would
    have made of each five minutes is logged for `optiq episodes`. Ctrl-C stops within two seconds
    and keeps what is held, unless told to leave it with --flatten.
    """
    from functools import partial

    from optiq.cli.ages import ages_of, show_ages, told
    from optiq.cli.config import resolved_toml
    from optiq.cli.model_folder import named
    from optiq.cli.output import emit
    from optiq.cli.paper_source import source_of
    from optiq.cli.paper_watch import Looks, alerts_of, watched
    from optiq.cli.settings import run_settings
    from optiq.learn.direction.serving import direction_named
    from optiq.learn.policy.served import policy_named, served_by
    from optiq.learn.scorer.served import scorer_named
    from optiq.learn.serving import manifests_of
    from optiq.report.tables import about_models, show_run
    from optiq.run.episodes import walk_hash
    from optiq.run.exploring import progress_of
    from optiq.run.plan import Plan
    from optiq.run.session_episodes import log_episodes, logs_episodes
    from optiq.run.sessions import FOLDER, Ensemble, opened
    from optiq.run.stored import told_of
    from optiq.run.user_strategy import tokens

    settings, strategies, resolved = run_settings(strategy or [], config, overrides or [])
    paces = {"snapshot": snapshot_seconds, "monitor": monitor_seconds, "stale_after": stale_after}
    with source_of(feed, store, underlying, date, speed, paces) as source:
        model = direction_named(models, direction, strategies, [source.date], underlying)
        folder = store / FOLDER / (session or f"{feed}-{underlying.lower()}-{source.date}")
        scores = partial(scorer_named, sessions=[source.date], underlying=underlying)
        served = named("scorer", scorer, models, scores, folder)
        chooses = partial(
            policy_named,
            strategies=strategies,
            seed=seed,
            sessions=[source.date],
            underlying=underlying,
            rules=walk_hash(settings, strategies),
        )
        chooser = named("policy", policy, models, chooses, folder)
        serving = {"scorer": served, "direction": model, "policy": served_by(chooser)}
        ages = ages_of(models, source.date, serving, config)
        plan = Plan(
            underlying=underlying,
            date=source.date,
            feed=feed,
            has_book=source.has_book,
            settings=resolved_toml(resolved),
            strategies=tokens(strategies),
            policy=chooser.on(underlying, source.date).who if chooser else "",
            seed=seed,
            scorer=(served.version(source.date) or "") if served else "",
            direction=(model.version(source.date) or "") if model else "",
            manifests=manifests_of(serving, source.date),
            context=source.context,
        )
        source.require_time(folder)
        team = Ensemble(settings, strategies, served, chooser, model)
        pace = f"{feed} x{speed}" if feed == "replay" else feed
        said = {
            "scorer": told_of(served, [source.date]),
            "chosen_by": told_of(chooser and chooser.policy, [source.date]),
        }
        looks = Looks(
            title="  ".join([f"{underlying} {source.date}", pace, *about_models(said)]),
            policy=plan.policy,
            exploring=progress_of(store, underlying, without=source.date)
            if logs_episodes(strategies)
            else None,
            clock=source.clock,
            stale_after=stale_after or 180.0,
            as_json=as_json,
            plain=plain,
        )
        alerts = alerts_of(alert or [], alert_on)
        with opened(folder, plan, team) as paper:
            with watched(paper, folder, looks, alerts) as watchers:
                if not paper.is_over:
                    run_watched(paper, source, watchers, flatten, folder, plan)
            summary = kept(paper, folder, plan)
            summary["episodes"] = (
                f"none: the day was flattened by {paper.flattened_by}, and is not whole"
                if paper.flattened_by
                else log_episodes(store, folder.name, paper.day, seed)
            )
        summary["stored"] = source.keep(folder)
        summary["models"] = told(ages)

    def show(screen: Console) -> None:
        show_run(screen, summary)
        show_ages(screen, ages)
        screen.print(f"[dim]The day's quotes:[/dim] {summary['stored']}", soft_wrap=True)
        logged = f"{summary['episodes']}; {progress_of(store, underlying).words}"
        screen.print(f"[dim]Its episodes:[/dim] {logged}", soft_wrap=True)

    emit(summary, as_json=as_json, show=show)


def run_watched(
    paper: PaperSession,
    source: DaySource,
    watchers: Sequence[Watcher],
    flatten: bool,
    folder: Path,
    plan: Plan,
) -> None:
    """Run a session to its end, or until a signal; one that left flat has its trades kept too."""
    from optiq.run.stopping import Stopped, run_until_stopped

    def waiting() -> None:
        for watcher in watchers:
            watcher.waiting()

    try:
        run_until_stopped(paper, source.rows(paper, waiting), watchers, flatten=flatten)
    except Stopped:
        if paper.is_over:
            kept(paper, folder, plan)
        raise


def kept(paper: PaperSession, folder: Path, plan: Plan) -> dict[str, Any]:
    """Write a finished session's trades beside its journal and return its figures."""
    import shutil

    from optiq.cli.config import resolved_toml
    from optiq.run.directory import RunDirectory
    from optiq.run.stored import told_of
    from optiq.run.summary import Tally

    result, tally, chooser = paper.day.result(), Tally(), paper.day.chooser
    tally.add(result)
    summary = {
        "run": str(folder / "run"),
        "session": folder.name,
        "underlying": plan.underlying,
        "from": str(plan.date),
        "to": str(plan.date),
        "strategies": list(result.strategies),
        "scorer": told_of(paper.day.scorer, [plan.date]),
        "policy": plan.policy or None,
        "seed": plan.seed if plan.policy else None,
        "chosen_by": told_of(chooser and chooser.policy, [plan.date]),
        **tally.summary(paper.day.settings),
        "faults": paper.faults,
        "elapsed_s": 0.0,
    }
    store = resolved_toml({}, {"store": folder.parents[1]})
    shutil.rmtree(folder / "run", ignore_errors=True)
    with RunDirectory(folder / "run") as directory:
        directory.add(result)
        directory.complete(summary, f"{store}\n{plan.settings}")
    return summary
