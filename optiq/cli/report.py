"""``optiq report``: one run as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optiq.cli.options import RUNS, STORE, ConfigOption, JsonOption

if TYPE_CHECKING:
    from optiq.report.page import Report

RunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN",
        help="A run's folder, its name under data/runs, or a paper session's; without it, the "
        "latest run.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="The page; without it, report.html in the run."),
]
WhereOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        help="Folder of the recorded chains; without it, the one that the run was made on.",
        rich_help_panel="Common",
    ),
]
OpenOption = Annotated[bool, typer.Option("--open", help="Open the page in a browser.")]


def report(
    run: RunArgument = None,
    out: OutOption = None,
    open_it: OpenOption = False,
    config: ConfigOption = None,
    store: WhereOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write one HTML page about a run: money, equity, trades, groups, costs and settings.

    The page needs no network and no other file. The path of the index comes from the store that
    the run was made on; without it the page says so.
    """
    from optiq.cli.config import folder
    from optiq.cli.found_run import found_run
    from optiq.cli.output import emit, progress, warn
    from optiq.report.page import write_report
    from optiq.run.recorded import read_run

    sessions = store or folder("store", STORE, config)
    path = found_run(run, folder("runs", RUNS, config), sessions)
    page = out or path / "report.html"
    recorded = read_run(path)
    days = recorded.summary["days"]
    with progress("Reading spot", total=days, unit="days", quiet=as_json) as advance:
        written = write_report(recorded, page, store, advance)
    result = _result(path, page, written)
    emit(result, as_json=as_json, show=lambda screen: screen.print(_line(page, result)))
    for note in result["notes"] if not as_json else ():
        warn(note)
    if open_it and not _opened(page):
        warn(f"no browser to open; the page is {page}")


def _result(run: Path, page: Path, written: Report) -> dict[str, Any]:
    return {
        "run": run,
        "page": page,
        "bytes": page.stat().st_size,
        "trades": written.trades,
        "trades_left_out": written.left_out.trades,
        "notes": written.paths.notes,
    }


def _line(page: Path, result: dict[str, Any]) -> str:
    left = f", {result['trades_left_out']:,} of its trades only in figures"
    return (
        f"{page}: {result['trades']:,} trades{left if result['trades_left_out'] else ''}, "
        f"{result['bytes'] / 1000:,.0f} kB"
    )


def _opened(page: Path) -> bool:
    import webbrowser

    return webbrowser.open(page.absolute().as_uri())
