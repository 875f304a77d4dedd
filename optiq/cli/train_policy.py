"""``optiq train-policy``: learn which strategy may trade next, and say what that is worth."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optiq.cli.options import (
    MODELS,
    STORE,
    ConfigOption,
    FromOption,
    JsonOption,
    ModelsOption,
    StoreOption,
    ToOption,
    parse_underlying,
)

if TYPE_CHECKING:
    from rich.console import Console

    from optiq.learn.policy.episode_table import EpisodeTable
    from optiq.learn.policy.evaluation import Evaluation
    from optiq.learn.policy.fit import Plan


def train_policy(
    from_date: FromOption = None,
    to_date: ToOption = None,
    underlying: Annotated[
        list[str] | None,
        typer.Option(
            "--underlying",
            help="Index, such as NIFTY, the default; may be repeated.",
            parser=parse_underlying,
        ),
    ] = None,
    chooser: Annotated[
        str, typer.Option("--chooser", metavar="sac|ridge|lightgbm", help="Who is to choose.")
    ] = "sac",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Actors trained.")] = 5,
    timesteps: Annotated[
        int, typer.Option("--timesteps", min=1, help="Gradient steps of each actor.")
    ] = 2_500,
    rewards: Annotated[
        str,
        typer.Option(
            "--rewards",
            metavar="auto|raw|ridge|lightgbm",
            help="Learn from logged results, or from what a cross-fitted model expects.",
        ),
    ] = "auto",
    switching_cost: Annotated[
        float, typer.Option("--switching-cost", min=0, help="R for a whole change of strategy.")
    ] = 0.0,
    folds: Annotated[
        int, typer.Option("--folds", min=1, help="Blocks of sessions to test on.")
    ] = 4,
    lockbox: Annotated[
        int,
        typer.Option(
            "--lockbox", min=0, help="Last sessions to leave unseen, where enough are left."
        ),
    ] = 20,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Actors trained at once.")] = 2,
    exploratory: Annotated[
        bool,
        typer.Option("--exploratory", help="Evaluate whatever there is; register nothing."),
    ] = False,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Learn from logged episodes which strategy to choose every five minutes, or none.

    A soft actor-critic, or a ridge regression or LightGBM in its place, measured on sessions that
    it has not seen beside choosing at random, the best single strategy, equal weights and each
    other, with intervals over sessions; of several seeds the worst counts. Stored as a candidate;
    `optiq models promote policy` decides. Interrupted, the same command goes on where it was. Under
    1,000 episodes or 60 sessions nothing is trained and the choice stays random.
    """
    from optiq.cli.output import emit, progress
    from optiq.learn.policy.episode_table import read_episodes
    from optiq.learn.policy.fit import Plan
    from optiq.learn.policy.sac import Training
    from optiq.learn.policy.training import (
        require_enough,
        require_results,
        to_learn,
        total_steps,
        train,
    )
    from optiq.report.card import card_page

    started = time.perf_counter()
    training = Training(timesteps=timesteps, switching_cost=switching_cost)
    plan = Plan(chooser, seeds, training, rewards, folds, lockbox, workers)
    names = tuple(dict.fromkeys(underlying or ["NIFTY"]))
    table = read_episodes(store, names, from_date, to_date)
    if exploratory:
        require_results(table)
        _explore(models, table, plan, as_json)
        return
    require_enough(table)
    require_results(table)
    table, locked = to_learn(table, lockbox)
    total = total_steps(table, plan)
    with progress("Training", total=total, unit="steps", quiet=as_json) as advance:
        made = train(models, table, plan, locked=locked, render=card_page, advance=advance)
    card = made.card
    told = {
        "version": made.version,
        "promoted": False,
        "registered": True,
        "card": models / "policy" / made.version / "card.html",
        "left_unseen": len(locked),
        **_told(made.evaluation),
        **{name: card[name] for name in ("underlyings", "sessions", "seen_until", "settings")},
        **{name: card[name] for name in ("audit", "trials", "rows")},
        "elapsed_s": round(time.perf_counter() - started, 3),
    }

    def show(screen: Console) -> None:
        _print(screen, made.evaluation)
        for reason in made.evaluation.reasons:
            screen.print(reason, soft_wrap=True)
        failed = [check["check"] for check in card["audit"] if not check["passed"]]
        passed = len(card["audit"]) - len(failed)
        screen.print(f"audit: {passed} checks passed" + (f", failed: {failed}" if failed else ""))
        screen.print(f"candidate {made.version}, not promoted: [dim]{told['card']}[/dim]")

    emit(told, as_json=as_json, show=show)


def _explore(models: Path, table: EpisodeTable, plan: Plan, as_json: bool) -> None:
    from optiq.cli.output import emit, progress
    from optiq.learn.policy.training import counts_of, explore, total_steps
    from optiq.learn.policy.words import not_shown, shown

    total = total_steps(table, plan, exploratory=True)
    with progress("Exploring", total=total, unit="steps", quiet=as_json) as advance:
        found, notes = explore(models, table, plan, advance)
    told = {
        "version": None,
        "promoted": False,
        "registered": False,
        "counts": counts_of(table),
        "shown": shown(found),
        "not_shown": not_shown(table, found),
        "notes": list(notes),
        **_told(found),
    }

    def show(screen: Console) -> None:
        _print(screen, found)
        for heading, lines in (("shown", told["shown"]), ("not shown", told["not_shown"])):
            for line in lines:
                screen.print(f"{heading}: {line}", soft_wrap=True)
        for note in notes:
            screen.print(f"note: {note}", soft_wrap=True)
        screen.print("Exploratory: nothing was registered, and the choice stays as it was.")

    emit(told, as_json=as_json, show=show)


def _told(found: Evaluation) -> dict[str, Any]:
    figures = {name: [one.to_json() for one in listed] for name, listed in found.figures.items()}
    return {
        "chooser": found.results.chooser,
        "figures_of": found.results.worst,
        "figures": figures,
        "choices": found.results.choices(),
        "would_pass": found.would_pass,
        "reasons": list(found.reasons),
        "splits": found.how,
    }


def _print(screen: Console, found: Evaluation) -> None:
    from optiq.report.policy_table import show_policy

    show_policy(screen, found.figures, found.results.worst, found.results.choices())
