"""One decision of a policy as a person reads it: preferred, chosen, and what moved it."""

from __future__ import annotations

import math
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from optiq.market.calendar import time_of_day
from optiq.report.money import profit
from optiq.report.tables import about_models
from optiq.run.choices import ASIDE
from optiq.run.choosing import MODEL

SHOWN = 10
"""Observations that are shown: those that moved most."""
METER = 8


def show_choice(screen: Console, story: dict[str, Any], everything: bool = False) -> None:
    """Print a decision; see :mod:`optiq.run.explain_choice` for its keys."""
    who = "stood aside" if story["chosen"] == ASIDE else f"chose {story['chosen']}"
    when = f"{story['date']} {time_of_day(story['ts'])}"
    screen.print(f"[bold]{story['decision']}[/bold]  {when}, {_by(story)} {who}")
    for line in about_models({"chosen_by": story["chosen_by"]}):
        screen.print(f"[yellow]![/yellow] {line}")
    screen.print(_strategies(story))
    if story["moved"] is None:
        screen.print(f"[dim]What was seen moved nothing:[/dim] {_why(story)}")
    else:
        screen.print(*_moved(story, everything), sep="\n")
    screen.print(_after(story))


def _by(story: dict[str, Any]) -> str:
    asked = "" if story["policy"] == story["version"] else f", asked for as {story['policy']},"
    return f"{story['version']}{asked}"


def _why(story: dict[str, Any]) -> str:
    possible = sum(line["possible"] for line in story["strategies"])
    if story["version"].startswith(MODEL) or not possible:
        return "no strategy that it knows was possible"
    if story["version"] == "random":
        return f"drawn with seed {story['seed']} among {possible} possible and standing aside"
    if story["version"] == "equal":
        return f"drawn with seed {story['seed']} among {possible} possible"
    return f"{story['version']} is chosen whenever it is possible"


def _strategies(story: dict[str, Any]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    is_learnt = story["version"].startswith(MODEL)
    table.add_column("strategy")
    table.add_column("preference" if is_learnt else "chance", justify="right")
    table.add_column("")
    aside = 1.0 - sum(line["propensity"] for line in story["strategies"])
    standing = {"name": ASIDE, "possible": True, "preference": 0.0, "propensity": aside}
    for line in (*story["strategies"], standing):
        said = f"{line['preference']:+.4f}" if is_learnt else f"{line['propensity']:.1%}"
        if is_learnt and math.isnan(line["preference"]):
            said = "not learnt"
        name = "stand aside" if line["name"] == ASIDE else line["name"]
        is_chosen = line["name"] == story["chosen"]
        style = "bold magenta" if is_chosen else "" if line["possible"] else "dim"
        mark = "chosen" if is_chosen else "" if line["possible"] else "not possible"
        table.add_row(Text(name, style), Text(said, style), Text(mark, style))
    return table


def _moved(story: dict[str, Any], everything: bool) -> tuple[str, Table, str]:
    told = story["moved"]
    subject = _named(told["subject"])
    values = {line["name"]: line["value"] for line in story["observation"]}
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for heading in ("observation", "value", "sd off", "moved it", "its lead"):
        side: Literal["left", "right"] = "left" if heading == "observation" else "right"
        table.add_column(heading, justify=side, no_wrap=True)
    table.add_column("")
    lines = told["observations"] if everything else told["observations"][:SHOWN]
    largest = max((abs(line["leads"]) for line in lines), default=0.0) or 1.0
    for line in lines:
        value = values.get(line["name"], math.nan)
        table.add_row(
            line["name"],
            "-" if math.isnan(value) else f"{value:.5g}",
            "-" if math.isnan(line["deviations"]) else f"{line['deviations']:+.2f}",
            f"{line['moves']:+.4f}",
            f"{line['leads']:+.4f}",
            Text("━" * round(METER * abs(line["leads"]) / largest), _colour(line["leads"])),
        )
    head = (
        f"{subject} {told['preference']:+.4f}, {told['ahead']:+.4f} over {_named(told['rival'])}; "
        f"{told['at_mean']:+.4f} if all were at the training mean"
    )
    how = (
        "Linear: the moves add up to the difference from the training mean."
        if told["exact"]
        else "Each alone put at its training mean: the moves need not add up."
    )
    rest = len(told["observations"]) - len(lines)
    more = f" {rest} more with --all-rows." if rest else ""
    return f"[bold]What moved it[/bold] ({told['chooser']}): {head}", table, f"[dim]{how}{more}[/]"


def _after(story: dict[str, Any]) -> Text:
    if not story["trades"]:
        return Text("No trade came of it in this run.", "dim")
    parts = [Text.assemble(t["trade"], " ", profit(t["net_pnl"])) for t in story["trades"]]
    return Text.assemble(("Trades that came of it: ", "dim"), Text(", ").join(parts))


def _named(name: str) -> str:
    return "standing aside" if name == ASIDE else name


def _colour(value: float) -> str:
    return "green" if value > 0 else "red"
