"""``optiq train-direction``: learn where the forward goes, and say what that is worth."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from optiq.cli.options import (
    MODELS,
    STORE,
    ConfigOption,
    DateOption,
    JsonOption,
    ModelsOption,
    StoreOption,
    UnderlyingOption,
)

if TYPE_CHECKING:
    from rich.console import Console

LOOKBACK = 250


def parse_number(unit: str) -> Callable[[str | int], int]:
    """Return a reader of a number with or without its unit.

    >>> parse_number("m")("30m"), parse_number("d")(250)
    (30, 250)
    """

    def read(text: str | int) -> int:
        number = str(text).strip().lower().removesuffix(unit)
        if not number.isascii() or not number.isdigit() or not int(number):
            raise typer.BadParameter(f"{text!r} is no number; write 30{unit}")
        return int(number)

    return read


def train_direction(
    date: DateOption = None,
    lookback: Annotated[
        int,
        typer.Option(
            "--lookback",
            metavar="250d",
            help="How many stored sessions to learn from, --date among them.",
            parser=parse_number("d"),
        ),
    ] = LOOKBACK,
    horizon: Annotated[
        int,
        typer.Option(
            "--horizon", metavar="30m", help="How far ahead it looks.", parser=parse_number("m")
        ),
    ] = 30,
    barrier: Annotated[
        float, typer.Option("--barrier", help="How far is a move, in standard deviations.")
    ] = 0.9,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="Transformers trained and averaged.")
    ] = 3,
    epochs: Annotated[
        int, typer.Option("--epochs", min=1, help="Most passes over the sessions.")
    ] = 20,
    folds: Annotated[
        int, typer.Option("--folds", min=1, help="Blocks of sessions to test on.")
    ] = 3,
    apart: Annotated[
        float, typer.Option("--apart", min=0, help="Least minutes between two windows of a day.")
    ] = 10.0,
    lockbox: Annotated[
        int,
        typer.Option(
            "--lockbox", min=0, help="Last sessions to leave unseen, where there are sixty."
        ),
    ] = 20,
    device: Annotated[
        str,
        typer.Option(
            "--device", metavar="auto|cpu|cuda", help="Where to train; auto takes a GPU if any."
        ),
    ] = "auto",
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Seeds trained at once, on the CPU.")
    ] = 2,
    underlying: UnderlyingOption = "NIFTY",
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Learn from stored chains up to a day whether the forward falls, stays or rises.

    A compact temporal fusion transformer, measured beside the majority, a logistic regression and
    LightGBM on sessions that none of them has seen, with intervals over sessions, and by what
    quantum_edge would have made of each. Stored as a candidate; `optiq models promote` decides.
    Interrupted, the same command goes on where it was.
    """
    from optiq.cli.output import emit, progress
    from optiq.learn.direction.fit import Training, device_in_words
    from optiq.learn.direction.labels import LabelRule
    from optiq.learn.direction.training import KIND, Plan, n_epochs, sessions_of, stored, train
    from optiq.market.store import Store
    from optiq.report.card import card_page
    from optiq.report.direction_table import show_direction

    started, source = time.perf_counter(), Store(store)
    trained_on = device_in_words(device)
    plan = Plan(
        LabelRule(float(horizon), barrier),
        Training(seeds=seeds, epochs=epochs, workers=min(workers, seeds), device=device),
        folds,
        apart,
        lockbox,
    )
    dates, left = sessions_of(source, underlying, date, lookback, lockbox)
    with progress("Labelling", total=len(dates), unit="days", quiet=as_json) as advance:
        sample = stored(source, underlying, dates, plan, advance)
    total = n_epochs(sample, plan)
    with progress("Training", total=total, unit="epochs", quiet=as_json) as advance:
        done = train(source, models, underlying, sample, plan, card_page, left, advance)
    card, measured = done.card, done.measured
    told = {
        "version": done.version,
        "promoted": False,
        "serves": measured.serves,
        "reasons": measured.reasons,
        "card": models / KIND / done.version / "card.json",
        **{name: card[name] for name in ("underlyings", "sessions", "seen_until", "label")},
        **{name: card[name] for name in ("splits", "rows", "figures", "figures_of", "baselines")},
        "audit": card["audit"],
        "left_unseen": left,
        "device": trained_on,
        "elapsed_s": round(time.perf_counter() - started, 3),
    }

    def show(screen: Console) -> None:
        show_direction(screen, measured.figures, measured.reasons)
        failed = [check["check"] for check in card["audit"] if not check["passed"]]
        passed = len(card["audit"]) - len(failed)
        screen.print(f"audit: {passed} checks passed" + (f", failed: {failed}" if failed else ""))
        screen.print(f"trained on {trained_on}")
        screen.print(f"candidate {done.version}, not promoted: [dim]{told['card']}[/dim]")

    emit(told, as_json=as_json, show=show)
