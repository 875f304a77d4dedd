"""The demo's one screen: two markets, three strategies, and what the difference means."""

from __future__ import annotations

import math
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from optiq.report.money import grouped
from optiq.run.verdict import MIN_DAYS, Verdict

WORDS = {
    Verdict.NO_TRADES: "never found an entry",
    Verdict.TOO_FEW: f"cannot be judged on under {MIN_DAYS} days",
    Verdict.WINS: "wins, after every charge",
    Verdict.DIES: "is right about the market, and dies of charges",
    Verdict.LOSES: "loses: spread and charges are certain, an edge is not",
    Verdict.NOISE: "is noise: its good days and bad days may be luck",
}
COLOURS = {Verdict.WINS: "green", Verdict.LOSES: "red", Verdict.DIES: "red"}


def show_demo(screen: Console, story: dict[str, Any]) -> None:
    """Print the story of two simulated markets; see :mod:`optiq.run.demo` for its keys."""
    screen.print(
        f"[bold]Two simulated markets[/bold] of {story['days']} sessions, "
        f"{story['quotes']:,} quotes. In the first the "
        "index tends to go on\nas it went (a planted edge), in the second it does not; all else "
        "is the same."
    )
    screen.print(_table(story["markets"]))
    for line in in_words(story["markets"]):
        screen.print(f"  {line}")
    screen.print(f"\nMarkets, runs and a strategy to edit: [bold]{story['folder']}[/bold]")
    screen.print("With your own recordings:")
    for command in story["next"]:
        screen.print(f"  [bold]{command}[/bold]")


def in_words(markets: list[dict[str, Any]]) -> list[str]:
    """Return one sentence a strategy: what it does in each market, once where it is the same."""
    lines = []
    for same in zip(*(market["strategies"] for market in markets), strict=True):
        verdicts = [Verdict(line["verdict"]) for line in same]
        name = f"[bold]{same[0]['strategy']}[/bold]"
        if len(set(verdicts)) == 1:
            lines.append(f"{name} {WORDS[verdicts[0]]}.")
        else:
            parts = [
                f"{market['name']} it {WORDS[word]}"
                for market, word in zip(markets, verdicts, strict=True)
            ]
            lines.append(f"{name}: {'; '.join(parts)}.")
    return lines


def _table(markets: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("rupees")
    for heading in ("trades", "gross", "charges", "net", "net a day, 95 %", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for market in markets:
        table.add_row(Text(market["name"], style="bold"))
        for line in market["strategies"]:
            table.add_row(
                f"  {line['strategy']}",
                f"{line['trades']:,}",
                _whole(line["gross_pnl"]),
                _whole(-line["charges"]),
                _whole(line["net_pnl"]),
                _interval(line["net_a_day_low"], line["net_a_day_high"]),
                _word(Verdict(line["verdict"])),
            )
    return table


def _word(word: Verdict) -> Text:
    return Text(word.name.lower().replace("_", " "), style=COLOURS.get(word, ""))


def _whole(rupees: float) -> str:
    return grouped(round(rupees))


def _interval(low: float, high: float) -> str:
    return "-" if math.isnan(low) else f"{grouped(round(low))} to {grouped(round(high))}"
