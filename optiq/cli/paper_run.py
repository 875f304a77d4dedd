"""``optiq paper-run``: trade on paper, from a replayed day or a live feed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optiq.cli.options import (
    STORE,
    ConfigOption,
    DateOption,
    JsonOption,
    PolicyOption,
    SeedOption,
    SetOption,
    StoreOption,
    StrategyOption,
    UnderlyingOption,
)

if TYPE_CHECKING:
    from optiq.run.paper import PaperSession
    from optiq.run.plan import Plan

FeedOption = Annotated[
    str, typer.Option("--feed", metavar="replay", help="Where the rows come from.")
]
SpeedOption = Annotated[
    str, typer.Option("--speed", metavar="1|10|max", help="How many times as fast a replay runs.")
]
SessionOption = Annotated[
    str | None,
    typer.Option("--session", help="Its name; one that exists is resumed where it ends."),
]


def paper_run(
    strategy: StrategyOption = None,
    feed: FeedOption = "replay",
    underlying: UnderlyingOption = "NIFTY",
    date: DateOption = None,
    speed: SpeedOption = "max",
    session: SessionOption = None,
    policy: PolicyOption = None,
    seed: SeedOption = 0,
    overrides: SetOption = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    as_json: JsonOption = False,
) -> None:
    """Trade on paper: the strategies and the walk of a backtest, row by row.

    Every row, and all that came of it, is journaled before it is shown. Stopped or killed, the
    same command goes on where the journal ends. No order ever leaves this machine.
    """
    import time

    from optiq.cli.config import resolved_toml
    from optiq.cli.output import emit
    from optiq.cli.settings import run_settings
    from optiq.errors import InputError
    from optiq.market.feeds.replay import replay
    from optiq.market.store import Store
    from optiq.report.paper_lines import PaperLines
    from optiq.report.tables import show_run
    from optiq.run.choosing import chooser_named
    from optiq.run.plan import Plan
    from optiq.run.sessions import FOLDER, Ensemble, opened
    from optiq.run.stored import panels
    from optiq.run.user_strategy import tokens

    if feed != "replay":
        raise InputError(f"no feed {feed!r}", "known is replay")
    if date is None:
        raise InputError("a replay needs the day to replay", "give --date; see `optiq data ls`")
    settings, strategies, resolved = run_settings(strategy or [], config, overrides or [])
    ((panel, context),) = panels(Store(store), underlying, [date], ())
    plan = Plan(
        underlying=underlying,
        date=date,
        feed=feed,
        has_book=panel.has_book,
        settings=resolved_toml(resolved),
        strategies=tokens(strategies),
        policy=policy or "",
        seed=seed,
        context=context,
    )
    chooser = chooser_named(policy, strategies, seed) if policy else None
    folder = store / FOLDER / (session or f"{feed}-{underlying.lower()}-{date}")
    lines = PaperLines(as_json=as_json)
    with opened(folder, plan, Ensemble(settings, strategies, chooser=chooser)) as paper:
        lines.begin(paper)
        if not paper.is_over:
            rows = replay(panel, paper.last_ts, _times(speed), time.sleep)
            paper.run(rows, [lines])
        summary = kept(paper, folder, plan)
    emit(summary, as_json=as_json, show=lambda screen: show_run(screen, summary))


def kept(paper: PaperSession, folder: Path, plan: Plan) -> dict[str, Any]:
    """Write a finished session's trades beside its journal and return its figures."""
    import shutil

    from optiq.run.directory import RunDirectory
    from optiq.run.summary import Tally

    result, tally = paper.day.result(), Tally()
    tally.add(result)
    summary = {
        "run": str(folder / "run"),
        "session": folder.name,
        "underlying": plan.underlying,
        "from": str(plan.date),
        "to": str(plan.date),
        "strategies": list(result.strategies),
        **tally.summary(paper.day.settings),
        "faults": paper.faults,
        "elapsed_s": 0.0,
    }
    shutil.rmtree(folder / "run", ignore_errors=True)
    with RunDirectory(folder / "run") as directory:
        directory.add(result)
        directory.complete(summary, plan.settings)
    return summary


def _times(speed: str) -> float:
    from optiq.errors import InputError

    if speed == "max":
        return float("inf")
    try:
        times = float(speed)
    except ValueError:
        times = 0.0
    if not times > 0:
        raise InputError(f"--speed {speed}", "give 1, 10, another number, or max")
    return times
