"""``optiq episodes``: what every strategy would have made of each five minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from optiq.cli.options import (
    MODELS,
    STORE,
    ConfigOption,
    DirectionOption,
    FromOption,
    JsonOption,
    ModelsOption,
    PolicyOption,
    SeedOption,
    SetOption,
    StoreOption,
    StrategyOption,
    ToOption,
    UnderlyingOption,
)

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(help="Episodes a policy learns from: build, count.", no_args_is_help=True)


@app.command("build")
def build(
    strategy: StrategyOption = None,
    underlying: UnderlyingOption = "NIFTY",
    from_date: FromOption = None,
    to_date: ToOption = None,
    policy: PolicyOption = None,
    direction: DirectionOption = None,
    seed: SeedOption = 0,
    overrides: SetOption = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Make the episodes of stored days, as paper sessions of those days would log them.

    Every five minutes: the market's features, which strategies were possible, who was chosen and
    with what probability, and what each strategy's next order would have come to, alone.
    """
    from functools import partial

    from optiq.cli.model_folder import named
    from optiq.cli.output import emit, progress
    from optiq.cli.settings import run_settings
    from optiq.errors import InputError
    from optiq.learn.direction.serving import direction_named
    from optiq.learn.policy.served import policy_named
    from optiq.market.store import Store
    from optiq.run.choosing import RANDOM
    from optiq.run.episodes import build as build_episodes
    from optiq.run.stored import sessions

    settings, strategies, _ = run_settings(strategy or [], config, overrides or [])
    days = sessions(Store(store), underlying, from_date, to_date)
    team = partial(policy_named, strategies=strategies, seed=seed)
    chooses = partial(team, sessions=days, underlying=underlying)
    chooser = named("policy", policy or RANDOM, models, chooses)
    if chooser is None:
        raise InputError("episodes without a policy", "give random, or leave --policy away")
    model = direction_named(models, direction, strategies, days, underlying)
    with progress("Building episodes", total=len(days), unit="days", quiet=as_json) as advance:
        built = build_episodes(
            Store(store), underlying, days, strategies, settings, chooser, advance, model
        )
    result = {
        "underlying": underlying,
        "days": len(days),
        "episodes": built.episodes,
        "traded": built.traded,
        "policy": chooser.name,
    }

    def show(screen: Console) -> None:
        screen.print(
            f"{built.episodes:,} episodes of {len(days):,} days; "
            f"in {built.traded:,} some strategy would have traded"
        )
        if not built.traded:
            screen.print(
                "[yellow]nothing to learn from:[/yellow] no order was filled; snapshots that lie "
                "far apart fill only with --set walk.latency_s=0",
                soft_wrap=True,
            )

    emit(result, as_json=as_json, show=show)


@app.command("ls")
def ls(store: StoreOption = STORE, as_json: JsonOption = False) -> None:
    """Count the episodes of a store, beside what training a policy needs."""
    from optiq.cli.output import emit, table
    from optiq.run.episodes import ENOUGH_EPISODES, ENOUGH_SESSIONS, counted
    from optiq.run.exploring import Progress

    found = counted(store)
    rows = table("", "underlying", ">episodes", ">sessions", "first", "last", "a policy")
    for one in found:
        progress = Progress(one["episodes"], one["sessions"])
        one |= {"share": progress.share, "enough": progress.is_enough}
        episodes = f"{one['episodes']:,} of {ENOUGH_EPISODES:,}"
        count = f"{one['sessions']:,} of {ENOUGH_SESSIONS:,}"
        said = "can be trained" if progress.is_enough else f"{progress.share:.0%} of what it needs"
        rows.add_row(one["underlying"], episodes, count, one["first"], one["last"], said)
    result = {
        "episodes": found,
        "needed": {"episodes": ENOUGH_EPISODES, "sessions": ENOUGH_SESSIONS},
    }
    emit(result, as_json=as_json, show=lambda screen: screen.print(rows))
