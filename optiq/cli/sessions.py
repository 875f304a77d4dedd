"""``optiq sessions``: what was traded on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from optiq.cli.options import STORE, JsonOption, StoreOption

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(help="Paper sessions: list them, read one.", no_args_is_help=True)


@app.command("ls")
def ls(store: StoreOption = STORE, as_json: JsonOption = False) -> None:
    """List the paper sessions of a store; every journal is verified, exit 3 if one is changed."""
    from optiq.cli.output import emit, table
    from optiq.errors import DamagedError
    from optiq.report.money import profit
    from optiq.run.sessions import DamagedSession, begun_sessions

    there = list(begun_sessions(store))
    damaged = [one for one in there if isinstance(one, DamagedSession)]
    found = [one.summary() for one in there if not isinstance(one, DamagedSession)]
    headings = ("session", "day", "feed", ">rows", ">entries", ">exits", ">faults", ">net", "state")
    rows = table("", *headings)
    for one in found:
        counts = (f"{one[key]:,}" for key in ("rows", "entries", "exits", "faults"))
        day = f"{one['underlying']} {one['date']}"
        rows.add_row(
            one["session"], day, one["feed"], *counts, profit(one["net_pnl"]), one["state"]
        )
    faults = [{"session": one.folder.name, "fault": str(one.error)} for one in damaged]
    result: dict[str, Any] = {"sessions": found, "damaged": faults}
    if faults:
        told = {"code": DamagedError.code, "message": faults[0]["fault"]}
        result = {"ok": False, "error": {**told, "hint": damaged[0].error.hint}, **result}

    def show_sessions(screen: Console) -> None:
        screen.print(rows)
        for one in damaged:
            words = f"[red]damaged[/red] {one.folder.name}: {one.error}; {one.error.hint}"
            screen.print(words, soft_wrap=True)

    emit(result, as_json=as_json, show=show_sessions)
    if faults:
        raise typer.Exit(DamagedError.exit_code)


@app.command("show")
def show(
    session: Annotated[str, typer.Argument(help="A session's name.")],
    store: StoreOption = STORE,
    as_json: JsonOption = False,
) -> None:
    """Print what a session did, line by line, as its journal has it."""
    from optiq.cli.output import emit
    from optiq.market.calendar import time_of_day
    from optiq.report.paper_lines import TOLD, sentence
    from optiq.run.paper import OVER
    from optiq.run.sessions import FOLDER, read_session

    stored = read_session(store / FOLDER / session)
    times = [time_of_day(row.ts) for row in stored.rows]
    shown = [event for event in stored.events if event.kind in TOLD]
    told = [
        {"event": e.kind, "time": times[e.row] if e.row != OVER else "end", **e.told} for e in shown
    ]

    def show_lines(screen: Console) -> None:
        for event, line in zip(shown, told, strict=True):
            screen.print(f"{line['time']:8} {sentence(event, stored.plan.policy)}", markup=False)

    emit({**stored.summary(), "events": told}, as_json=as_json, show=show_lines)
