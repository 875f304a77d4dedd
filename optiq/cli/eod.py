"""``optiq eod``: after the close, by itself: data in, models questioned and retrained."""

from __future__ import annotations

import datetime as dt
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

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
    parse_date,
)
from optiq.errors import OptiqError, TimeLimitError

if TYPE_CHECKING:
    from optiq.learn.evening.manifest import Manifest
    from optiq.learn.evening.night import Evening
    from optiq.report.evening_summary import Summary

app = typer.Typer(invoke_without_command=True)

SinceOption = Annotated[
    dt.date | None,
    typer.Option(
        "--since",
        metavar="YYYY-MM-DD",
        help="Also every evening from this day on that is not finished.",
        parser=parse_date,
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and touch nothing.")
]
IfDueOption = Annotated[
    bool,
    typer.Option(
        "--if-due",
        help="For cron: begin only once the session is over; otherwise say nothing and exit 0.",
    ),
]
WithOption = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="policy|direction", help="Train this too; may be repeated."),
]
AlertOption = Annotated[
    list[str] | None,
    typer.Option(
        "--alert",
        metavar="exec:COMMAND|webhook:URL",
        help="Whom to tell how it went; webhook:env:NAME takes the address from a variable. "
        "May be repeated; evening.alert adds others.",
    ),
]


class Unfinished(OptiqError):  # noqa: N818 - it is what became of an evening
    """An evening that is not done, with the status that its step asked for."""

    code = "unfinished"

    def __init__(self, manifest: Manifest, message: str) -> None:
        super().__init__(message, "the same command goes on where it was")
        self.exit_code = manifest.exit_code


@app.callback()
def eod(
    context: typer.Context,
    date: DateOption = None,
    since: SinceOption = None,
    dry_run: DryRunOption = False,
    if_due: IfDueOption = False,
    extra: WithOption = None,
    alert: AlertOption = None,
    overrides: SetOption = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Do the evening of the last session: data, quality, episodes, training, gate, drift, page.

    Each step is done once: a rerun goes on where the last one ended, and does nothing when all is
    done. Evenings that were missed come first. A step that fails is named and the champion serves
    on. Nothing is promoted but by its gate. Settings are in section evening of the settings file.
    """
    if context.invoked_subcommand is not None:
        return
    from optiq.cli.eod_alert import alerts_to, send
    from optiq.cli.eod_steps import conclude, steps_on
    from optiq.cli.moment import now
    from optiq.cli.settings import evening_settings
    from optiq.learn.evening.heartbeat import Heartbeat
    from optiq.learn.evening.night import Evening, pending

    settings, moment = evening_settings(config, overrides or []), now()
    evening = Evening(
        store=store,
        models=models,
        settings=settings,
        now=moment,
        steps=lambda day: steps_on(day, settings, extra or (), config, overrides or []),
        conclude=partial(conclude, models, settings.stale_after_sessions),
        beat=Heartbeat(store, now),
    )
    dates = pending(store, settings, moment, date, since)
    if dry_run:
        _show_plan(evening, dates, as_json)
        return
    if if_due:
        dates = _worth_trying(evening, dates)
    if not dates:
        _nothing(evening, date, quiet=if_due, as_json=as_json)
        return
    alerts = alerts_to((*settings.alert, *(alert or ())), is_cron=if_due)
    with _alone(store), _no_longer_than(settings.time_limit_minutes):
        done = evening.run(
            [day for day in pending(store, settings, moment, date, since) if day in dates]
        )
        summaries = _summaries(evening, done)
        send(store, alerts, done, summaries)
    _tell(evening, done, summaries, as_json)


@contextmanager
def _alone(store: Path) -> Iterator[None]:
    from optiq.learn.evening.manifest import FOLDER
    from optiq.market.durable import held, make_folder

    make_folder(store / FOLDER)
    busy = f"{store}: another evening is running"
    with held(store / FOLDER / ".lock", busy, "wait for it to end; see optiq eod status"):
        yield


@contextmanager
def _no_longer_than(minutes: float) -> Iterator[None]:
    """Give up when the time is over; what is done by then stays done."""

    def over(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TimeLimitError(
            f"the evening took over {minutes:g} minutes and was given up",
            "raise evening.time_limit_minutes; the same command goes on where it was",
        )

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, 60.0 * minutes)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _worth_trying(evening: Evening, dates: Sequence[dt.date]) -> list[dt.date]:
    from optiq.learn.evening.manifest import read
    from optiq.learn.evening.night import is_worth_trying

    tried = ((day, read(evening.store, day)) for day in dates)
    return [d for d, told in tried if is_worth_trying(told, evening.settings, evening.now)]


def _nothing(evening: Evening, date: dt.date | None, *, quiet: bool, as_json: bool) -> None:
    """Say why there is nothing to do; cron, which asks often, is told nothing."""
    from optiq.cli.output import emit
    from optiq.learn.evening.calendar import why_none
    from optiq.market.schema import IST

    day = date or evening.now.astimezone(IST).date()
    why = why_none(day, evening.settings.underlyings)
    said = why or f"the evening of {date or 'the last session'} is done already"

    def show(screen: Any) -> None:
        if not quiet:
            screen.print(f"{said}.", soft_wrap=True)

    emit({"evenings": [], "nothing": said}, as_json=as_json, show=show)


def _summaries(evening: Evening, done: Sequence[Manifest]) -> list[Summary]:
    from optiq.cli.eod_steps import serving
    from optiq.report.evening_summary import summary_of

    limit = evening.settings.stale_after_sessions
    return [summary_of(one, serving(evening.models, one.date, limit)) for one in done]


def _tell(
    evening: Evening, done: Sequence[Manifest], summaries: Sequence[Summary], as_json: bool
) -> None:
    """Print the evenings; one that failed, or a last one without data, is the exit status."""
    from optiq.cli.output import console, emit, write_json
    from optiq.learn.evening.manifest import folder_of
    from optiq.report.evening_summary import text_of

    pages = [folder_of(evening.store, one.date) / "evening.html" for one in done]
    told: dict[str, Any] = {
        "evenings": [
            {"summary": summary, "page": page, "manifest": one.to_json()}
            for summary, page, one in zip(summaries, pages, done, strict=True)
        ]
    }

    def show(screen: Any) -> None:
        for summary, page in zip(summaries, pages, strict=True):
            screen.print(text_of(summary), markup=False, soft_wrap=True)
            screen.print(f"Page: {page}", markup=False, soft_wrap=True)

    troubled = [one for one in done if one.state == "failed"]
    troubled += [one for one in done[-1:] if one.state == "no data"]
    if not troubled:
        emit(told, as_json=as_json, show=show)
        return
    error = Unfinished(troubled[0], summaries[done.index(troubled[0])].headline)
    if not as_json:
        show(console())
        raise error
    named = {"code": error.code, "message": str(error), "hint": error.hint}
    write_json({"ok": False, "error": named, **told})
    raise typer.Exit(error.exit_code)


def _show_plan(evening: Evening, dates: Sequence[dt.date], as_json: bool) -> None:
    from optiq.cli.output import emit, table
    from optiq.learn.evening.manifest import Manifest, read

    rows, told = table("", "evening", "step", "state"), []
    for day in dates:
        manifest = read(evening.store, day) or Manifest(day)
        steps = {
            step.name: "done" if manifest.is_step_done(step.name) else "to do"
            for step in evening.steps(day)
        }
        told.append({"date": day, "steps": steps})
        for name, state in steps.items():
            rows.add_row(str(day), name, state)

    def show(screen: Any) -> None:
        screen.print(rows if dates else "Nothing to do.")

    emit({"dry_run": True, "evenings": told}, as_json=as_json, show=show)


@app.command("status")
def status(
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Tell of the last evenings, what is missed, what is under way, and who serves how old."""
    from optiq.cli.eod_steps import serving
    from optiq.cli.moment import now
    from optiq.cli.output import emit, table
    from optiq.cli.settings import evening_settings
    from optiq.learn.evening import heartbeat as evening_heartbeat
    from optiq.learn.evening import manifest as evening_manifest
    from optiq.learn.evening.night import pending
    from optiq.market.schema import IST

    settings, moment = evening_settings(config), now()
    evenings = evening_manifest.all_of(store)[-10:]
    missed = pending(store, settings, moment)
    beat = evening_heartbeat.read(store)
    champions = serving(models, moment.astimezone(IST).date(), settings.stale_after_sessions)
    rows = table("", "evening", "state", "not done")
    for one in evenings:
        open_steps = [name for name, step in one.steps.items() if step.status != "done"]
        rows.add_row(str(one.date), one.state, ", ".join(open_steps) or "-")
    result = {
        "evenings": [one.to_json() for one in evenings],
        "pending": missed,
        "heartbeat": beat,
        "champions": champions,
    }

    def show(screen: Any) -> None:
        screen.print(rows if evenings else "No evening yet.")
        if missed:
            screen.print(f"To do: {', '.join(map(str, missed))}")
        if beat and beat["step"]:
            screen.print(
                f"Last sign of life: {beat['time']}, {beat['evening']} {beat['step']} "
                f"(process {beat['process']})"
            )
        for words in champions.values():
            screen.print(words, soft_wrap=True)

    emit(result, as_json=as_json, show=show)
