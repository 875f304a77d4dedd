"""``optiq ingest``: recordings of any kind into the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optiq.cli.options import (
    STORE,
    AnyUnderlyingOption,
    ConfigOption,
    ExpiryOption,
    JsonOption,
    StoreOption,
)

if TYPE_CHECKING:
    from rich.console import Console

    from optiq.market.ingest.pipeline import IngestReport

_MOST_FAILURES_SHOWN = 20

SourcesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="Files, folders, globs, or a postgresql:// URL.",
        show_default=False,
    ),
]
FormatOption = Annotated[
    str, typer.Option("--format", help="Format of the files; auto looks at each of them.")
]
ZoneOption = Annotated[
    str | None,
    typer.Option("--tz", help="Zone of stamps that carry none, where it cannot be told."),
]
MergeOption = Annotated[
    bool, typer.Option("--merge", help="Let a second feed into sessions stored from another.")
]
MapOption = Annotated[
    Path | None,
    typer.Option("--map", help="TOML or JSON file of our column names to the table's."),
]
TableOption = Annotated[str | None, typer.Option("--table", help="Table of a database.")]
AtOption = Annotated[
    str | None, typer.Option("--at", help="When a document without a clock was recorded (IST).")
]


def ingest(
    sources: SourcesArgument,
    format_name: FormatOption = "auto",
    underlying: AnyUnderlyingOption = None,
    tz: ZoneOption = None,
    merge: MergeOption = False,
    column_map: MapOption = None,
    table: TableOption = None,
    expiry: ExpiryOption = None,
    at: AtOption = None,
    store: StoreOption = STORE,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add recorded option chains to the store; running it twice adds nothing.

    Times, units and volatilities are put right on the way and Greeks computed. Rows that cannot
    be used go to quarantine with the reason; every row is accounted for. The exit status is 2
    when a source could not be read: the others are in the store all the same.
    """
    from optiq.cli.output import emit, progress
    from optiq.market.ingest.batch import ReadOptions
    from optiq.market.ingest.column_map import read_column_map
    from optiq.market.ingest.pipeline import IngestOptions
    from optiq.market.ingest.pipeline import ingest as run
    from optiq.market.store import Store

    options = IngestOptions(
        format=format_name,
        merge=merge,
        read=ReadOptions(
            underlying=underlying,
            tz=tz,
            expiry=expiry.isoformat() if expiry else None,
            at=at,
            column_map=read_column_map(column_map) if column_map else None,
            table=table,
        ),
    )
    with progress("reading", quiet=as_json) as advance:
        report = run(sources, Store(store), options, advance)
    if report.failed and not report.rows_in:
        raise _only_failures(report)
    emit(_result(report), as_json=as_json, show=lambda screen: _print(screen, report, store))
    if report.failed:
        raise typer.Exit(2)


def _only_failures(report: IngestReport) -> Exception:
    """Return the first failure; it says so where others failed as well."""
    first, others = report.failed[0], len(report.failed) - 1
    if others:
        more = f" (and {others} more)"
        return type(first)(f"{first}{more}", first.hint)
    return first


def _result(report: IngestReport) -> dict[str, object]:
    result: dict[str, object] = {
        "files": report.files,
        "rows_in": report.rows_in,
        "rows_kept": report.rows_kept,
        "duplicates": report.duplicates,
        "quarantined": report.quarantined,
        "days": report.days,
        "notes": report.notes,
    }
    if report.failed:
        first = report.failed[0]
        result |= {
            "ok": False,
            "error": {"code": first.code, "message": str(first), "hint": first.hint},
            "failed": [{"message": str(one), "hint": one.hint} for one in report.failed],
        }
    return result


def _print(screen: Console, report: IngestReport, store: Path) -> None:
    from optiq.report.money import grouped

    days = "1 session" if len(report.days) == 1 else f"{len(report.days)} sessions"
    screen.print(
        f"{grouped(report.rows_in)} rows of {report.files} sources: "
        f"{grouped(report.rows_kept)} kept, {grouped(report.duplicates)} duplicates, "
        f"{grouped(report.quarantined)} quarantined; new rows in {days} of {store}",
        soft_wrap=True,
    )
    for note in report.notes:
        screen.print(f"  {note}", markup=False, soft_wrap=True)
    for failure in report.failed[:_MOST_FAILURES_SHOWN]:
        hint = f"; {failure.hint}" if failure.hint else ""
        screen.print(f"  left out: {failure}{hint}", markup=False, soft_wrap=True, style="red")
    if len(report.failed) > _MOST_FAILURES_SHOWN:
        screen.print(f"  and {len(report.failed) - _MOST_FAILURES_SHOWN} more", style="red")
