"""``optiq train-scorer``: learn which purchases pay, and say what that is worth."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optiq.cli.options import (
    MODELS,
    STORE,
    ConfigOption,
    DateOption,
    JsonOption,
    ModelsOption,
    SetOption,
    StoreOption,
    parse_underlying,
)

if TYPE_CHECKING:
    from optiq.learn.scorer.candidate import Candidate

LOOKBACK = 60


def parse_lookback(text: str | int) -> int:
    """Read a number of sessions, with or without a d.

    >>> parse_lookback("60d"), parse_lookback("5")
    (60, 5)
    """
    if isinstance(text, int):
        return text
    number = text.strip().lower().removesuffix("d")
    if not number.isascii() or not number.isdigit() or not int(number):
        raise typer.BadParameter(f"{text!r} is no number of sessions; write 60d")
    return int(number)


def train_scorer(
    date: DateOption = None,
    lookback: Annotated[
        int,
        typer.Option(
            "--lookback",
            metavar="60d",
            help="How many stored sessions to learn from, --date among them.",
            parser=parse_lookback,
        ),
    ] = LOOKBACK,
    underlying: Annotated[
        list[str] | None,
        typer.Option(
            "--underlying",
            help="Index, such as NIFTY, the default; may be repeated.",
            parser=parse_underlying,
        ),
    ] = None,
    rule: Annotated[
        str, typer.Option("--rule", metavar="STRATEGY", help="Whose exit rule makes the labels.")
    ] = "gamma_scalping",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Also write it for other programs: .txt (LightGBM) or .pkl (joblib).",
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option("--trials", min=0, help="Random settings to try beside the usual.")
    ] = 0,
    lockbox: Annotated[
        int,
        typer.Option(
            "--lockbox", min=0, help="Last sessions to leave unseen, where there are sixty."
        ),
    ] = 20,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is drawn.")] = 0,
    overrides: SetOption = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Learn from stored chains up to a day which purchases make money after charges.

    A row is a contract that could have been bought at a snapshot; its label is what buying it alone
    came to, walked as a backtest walks it. Models trained on earlier sessions are measured on later
    ones, with intervals from resampling sessions, beside what they must beat. The last model, of
    all sessions but the locked ones, is stored as a candidate. Nothing is promoted here: that is
    `optiq models promote`, on sessions after all that the model has seen.

    A file written by --output is for other programs. A .pkl is a joblib file that runs code when
    it is loaded; optiq never reads one.
    """
    from optiq.cli.output import emit, progress, warn
    from optiq.cli.settings import run_settings
    from optiq.learn.dataset import Recipe, dataset
    from optiq.learn.scorer.candidate import candidate, days_to_learn
    from optiq.learn.scorer.export import export, require_known
    from optiq.learn.scorer.training import Plan, n_fits
    from optiq.market.store import Store
    from optiq.report.card import card_page

    started = time.perf_counter()
    if output is not None:
        require_known(output)
    settings, (strategy,), _ = run_settings([rule], config, overrides or [])
    recipe, plan = Recipe(strategy, settings), Plan(trials=trials, lockbox=lockbox, seed=seed)
    names = tuple(dict.fromkeys(underlying or ["NIFTY"]))
    days = days_to_learn(Store(store), names, date, lookback)
    with progress("Labelling", total=len(days), unit="days", quiet=as_json) as advance:
        rows = dataset(Store(store), days, recipe, advance=advance, say=warn)
    fits = n_fits(len({day.date for day in days}), plan)
    with progress("Fitting", total=fits, unit="fits", quiet=as_json) as advance:
        made = candidate(models, rows, names, recipe, plan, render=card_page, advance=advance)
    if output is not None:
        export(made.model, made.version, output)
    told = _told(made, models, output, time.perf_counter() - started)
    emit(told, as_json=as_json, show=lambda screen: _print(screen, made, told))


def _told(made: Candidate, models: Path, output: Path | None, seconds: float) -> dict[str, Any]:
    from optiq.learn.scorer.card import notes
    from optiq.learn.scorer.model import KIND

    kept = ("underlyings", "sessions", "seen_until", "lockbox", "label", "splits", "rows")
    return {
        "version": made.version,
        "promoted": False,
        "reason": made.why_not_promoted,
        "card": models / KIND / made.version / "card.html",
        "output": output,
        **{name: made.card[name] for name in kept},
        **{name: made.card[name] for name in ("figures", "baselines", "tables", "champion")},
        "notes": notes(made.result, made.worth),
        "elapsed_s": round(seconds, 3),
    }


def _print(screen: Any, made: Candidate, told: dict[str, Any]) -> None:
    from optiq.report.scorer_tables import show_scorer

    show_scorer(screen, made.card, made.worth.figures, made.worth.baselines)
    for note in told["notes"]:
        screen.print(f"note: {note}", soft_wrap=True)
    screen.print(f"scorer {told['version']} is a candidate, not promoted: {told['reason']}.")
    screen.print(f"Its card: {told['card']}", soft_wrap=True)
    if told["output"] is not None:
        screen.print(f"Written for other programs: {told['output']}", soft_wrap=True)
