"""``optiq sessions``: what was traded on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optiq.cli.options import STORE, JsonOption, StoreOption

app = typer.Typer(help="Paper sessions: list them, read one.", no_args_is_help=True)


@app.command("ls")
def ls(store: StoreOption = STORE, as_json: JsonOption = False) -> None:
    """List the paper sessions of a store; every journal is verified."""
    from optiq.cli.output import emit, table
    from optiq.report.money import profit
    from optiq.run.sessions import begun_sessions

    found = [session.summary() for session in begun_sessions(store)]
    headings = ("session", "day", "feed", ">rows", ">entries", ">exits", ">faults", ">net", "state")
    rows = table("", *headings)
    for one in found:
        counts = (f"{one[key]:,}" for key in ("rows", "entries", "exits", "faults"))
        day = f"{one['underlying']} {one['date']}"
        rows.add_row(
            one["session"], day, one["feed"], *counts, profit(one["net_pnl"]), one["state"]
        )
    emit({"sessions": found}, as_json=as_json, show=lambda screen: screen.print(rows))


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

    def show_lines(screen) -> None:  # type: ignore[no-untyped-def]
        for event, line in zip(shown, told, strict=True):
            screen.print(f"{line['time']:8} {sentence(event, stored.plan.policy)}", markup=False)

    emit({**stored.summary(), "events": told}, as_json=as_json, show=show_lines)


def session_folder(store: Path, name: str) -> Path:
    """Return the folder of a session by name, or the path given."""
    from optiq.run.sessions import FOLDER

    return store / FOLDER / name
