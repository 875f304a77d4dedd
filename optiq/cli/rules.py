"""``optiq rules``: the market's dated facts, where each is from, and whether they hold together."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from optiq.cli.options import (
    ConfigOption,
    ExpiryOption,
    JsonOption,
    OnOption,
    SetOption,
    UnderlyingOption,
)
from optiq.errors import DamagedError

app = typer.Typer(help="The market's rules by date, with sources.", no_args_is_help=True)

SourcesOption = Annotated[
    bool, typer.Option("--sources", help="Print the source of each rule as well.")
]


@app.command("show")
def show(
    on: OnOption,
    underlying: UnderlyingOption = "NIFTY",
    expiry: ExpiryOption = None,
    sources: SourcesOption = False,
    overrides: SetOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the session, expiries, lots, charges and margins of one day, and how sure each is.

    With --expiry, the lot of that expiry's contracts as it stood on that day. The JSON always
    names the sources.
    """
    from optiq.cli.output import emit
    from optiq.cli.settings import run_settings
    from optiq.trade.rulebook import facts

    settings, _, _ = run_settings((), config, overrides or [])
    found = list(facts(underlying, on, expiry, settings.broker))
    result = {"underlying": underlying, "on": on, "expiry": expiry, "facts": found}
    title = f"{underlying} on {on:%A} {on}"
    emit(result, as_json=as_json, show=lambda screen: _print_facts(screen, title, found, sources))


@app.command("check")
def check(as_json: JsonOption = False) -> None:
    """Check the tables: gaps, overlaps, impossible dates, agreement with pandas_market_calendars.

    The exit status is 3 when something has to be put right.
    """
    from optiq.cli.output import emit
    from optiq.trade.rulebook import all_findings

    found = list(all_findings())
    problems = [finding for finding in found if finding.state == "problem"]
    result: dict[str, Any] = {"ok": not problems, "findings": found}
    if problems:
        first = problems[0]
        message = f"{first.table}.csv: {first.text}"
        result["error"] = {
            "code": DamagedError.code,
            "message": message,
            "hint": "correct the table",
        }
    emit(result, as_json=as_json, show=lambda screen: _print_findings(screen, found))
    if problems:
        raise typer.Exit(DamagedError.exit_code)


def _print_facts(screen: Any, title: str, found: list[Any], sources: bool) -> None:
    from rich.text import Text

    from optiq.cli.output import table

    rows = table(title, "rule", "says", "confidence", "source" if sources else "note")
    said = ""
    for fact in found:
        unsure = "" if fact.confidence == "high" else "yellow"
        last = fact.source if sources else fact.note
        rest = "" if last == said else last
        rows.add_row(fact.name, Text(fact.value), Text(fact.confidence, unsure), Text(rest))
        said = last
    screen.print(rows)


def _print_findings(screen: Any, found: list[Any]) -> None:
    from rich.text import Text

    for finding in found:
        colour = "red" if finding.state == "problem" else "dim"
        screen.print(Text(f"{finding.state}: {finding.table}.csv: {finding.text}", colour))
    problems = sum(finding.state == "problem" for finding in found)
    screen.print(f"{problems} problems" if problems else "The tables hold together.")
