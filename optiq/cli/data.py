"""``optiq data``: what is stored, what a day holds, and what is odd about it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import typer

from optiq.cli.options import (
    STORE,
    AnyUnderlyingOption,
    ConfigOption,
    DateOption,
    JsonOption,
    StoreOption,
)

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from rich.console import Console

    from optiq.market.day_view import DayView
    from optiq.market.manifest import DayManifest

app = typer.Typer(help="The recorded chains in the store.", no_args_is_help=True)


@app.command("ls")
def ls(
    underlying: AnyUnderlyingOption = None,
    store: StoreOption = STORE,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the stored sessions: rows, snapshots, hours in IST, book, level."""
    from optiq.cli.output import emit
    from optiq.market.manifest import listed

    days = listed(store, underlying)
    result = {"days": [_line(day) for day in days]}
    emit(result, as_json=as_json, show=lambda screen: _print_days(screen, days, store))


@app.command("show")
def show(
    underlying: AnyUnderlyingOption = None,
    date: DateOption = None,
    store: StoreOption = STORE,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one session: rows, snapshots, strikes, first and last moment, median gap, holes.

    Without --date the latest session; without --underlying the only one stored that day.
    """
    from optiq.cli.output import emit
    from optiq.market.day_view import view_day
    from optiq.market.store import Store

    place = Store(store)
    view = view_day(place, *_one_day(place, underlying, date))
    emit(view.as_result(), as_json=as_json, show=lambda screen: _print_view(screen, view))


@app.command("check")
def check(
    underlying: AnyUnderlyingOption = None,
    date: DateOption = None,
    store: StoreOption = STORE,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check stored sessions: a level that runs ahead, crossed books, stale prices, jumps, holes.

    Warnings are about the data and do not change the exit status; a day whose file and manifest
    disagree is an error (3).
    """
    from optiq.cli.output import emit, progress
    from optiq.market.quality import check_day
    from optiq.market.store import Store

    place = Store(store)
    days = _chosen(place, underlying, date)
    findings: list[dict[str, Any]] = []
    with progress("checking", total=len(days), unit="days", quiet=as_json) as advance:
        for day in days:
            findings += [
                {"underlying": day.underlying, "date": day.date, "what": what, "text": text}
                for what, text in check_day(place, day)
            ]
            advance(1)
    result = {"days": len(days), "warnings": findings}
    emit(result, as_json=as_json, show=lambda screen: _print_findings(screen, len(days), findings))


@app.command("repair")
def repair(
    store: StoreOption = STORE,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Finish or clear the writes that were cut short, and rebuild lost or damaged manifests.

    A rebuilt manifest is counted from the day's file; where its rows came from is not known any
    more, and it says so.
    """
    from optiq.cli.output import emit
    from optiq.market.repair import repair_store
    from optiq.market.store import Store

    done = repair_store(Store(store))
    emit(
        {"repaired": done},
        as_json=as_json,
        show=lambda screen: screen.print("\n".join(done) or "nothing to repair", markup=False),
    )


def _chosen(store: Any, underlying: str | None, date: dt.date | None) -> list[DayManifest]:
    from optiq.errors import MissingDataError

    days = [day for day in store.days(underlying) if date in (None, day.date)]
    if not days:
        asked = " ".join(str(part) for part in (underlying, date) if part) or "anything"
        raise MissingDataError(
            f"{store.root}: nothing stored for {asked}",
            "see `optiq data ls`, or add recordings with `optiq ingest`",
        )
    return days


def _one_day(store: Any, underlying: str | None, date: dt.date | None) -> tuple[str, dt.date]:
    from optiq.errors import InputError

    days = _chosen(store, underlying, date)
    latest = max(day.date for day in days)
    names = [day.underlying for day in days if day.date == latest]
    if len(names) > 1:
        raise InputError(
            f"{latest} is stored for {', '.join(names)}", f"say which: --underlying {names[0]}"
        )
    return names[0], latest


def _line(day: DayManifest) -> dict[str, Any]:
    return {
        "underlying": day.underlying,
        "date": day.date,
        "rows": day.rows,
        "snapshots": day.snapshots,
        "contracts": day.contracts,
        "expiries": len(day.expiries),
        "first": day.first_ist,
        "last": day.last_ist,
        "has_book": day.has_book,
        "spot": day.spot_words,
        "close": day.close,
        "sources": len(day.sources),
    }


def _print_days(screen: Console, days: list[DayManifest], store: Path) -> None:
    from optiq.cli.output import table
    from optiq.report.money import grouped

    if not days:
        screen.print(
            f"{store} is empty; add recordings with `optiq ingest`", markup=False, soft_wrap=True
        )
        return
    headings = ("underlying", "date", ">rows", ">snapshots", "IST", "book", "spot", ">close")
    rows = table("", *headings)
    for day in days:
        rows.add_row(
            day.underlying,
            str(day.date),
            grouped(day.rows),
            str(day.snapshots),
            f"{day.first_ist:%H:%M}-{day.last_ist:%H:%M}",
            "yes" if day.has_book else "no",
            day.spot_words,
            "-" if day.close is None else f"{day.close:.2f}",
        )
    screen.print(rows)


def _print_view(screen: Console, view: DayView) -> None:
    from optiq.cli.output import table
    from optiq.report.money import grouped

    day = view.manifest
    rows = table(f"{day.underlying} {day.date}", "what", "value")
    for what, value in (
        ("rows", grouped(day.rows)),
        ("snapshots", str(day.snapshots)),
        ("contracts", str(day.contracts)),
        ("strikes", f"{day.strikes}, {view.strike_step:g} apart near the money"),
        ("expiries", ", ".join(day.expiries)),
        ("first", f"{day.first_ist:%H:%M:%S} IST"),
        ("last", f"{day.last_ist:%H:%M:%S} IST"),
        ("median gap", "-" if math.isnan(view.median_gap_s) else f"{view.median_gap_s:g} s"),
        ("holes", "; ".join(hole.words for hole in view.holes) or "none"),
        ("book", "yes" if day.has_book else "no"),
        ("spot", day.spot_words),
        ("sources", f"{len(day.sources)} ({', '.join(view.feeds)})"),
    ):
        rows.add_row(what, value)
    screen.print(rows)
    for note in day.notes:
        screen.print(f"  {note}", markup=False)


def _print_findings(screen: Console, days: int, findings: list[dict[str, Any]]) -> None:
    for found in findings:
        screen.print(
            f"{found['underlying']} {found['date']}: {found['text']}", markup=False, soft_wrap=True
        )
    checked = "1 session" if days == 1 else f"{days} sessions"
    warned = "nothing odd" if not findings else f"{len(findings)} warnings"
    screen.print(f"{checked} checked, {warned}")
