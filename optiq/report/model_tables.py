"""The registry as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from optiq.learn import card
from optiq.learn.aliases import Promotion
from optiq.learn.inventory import Check, Entry
from optiq.learn.measured import NOT_MEASURED, Measured, in_words
from optiq.learn.version_folder import CARD_PAGE, Stored
from optiq.report.measured_table import evidences, measured_table


def show_entries(screen: Console, entries: Sequence[Entry]) -> None:
    """Print one line a version; damaged ones say what is wrong with them."""
    if not entries:
        screen.print("No models yet: optiq train-scorer, train-direction or train-policy make one.")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("model", "version", "is", "serves from", "has seen until", "first figure"):
        table.add_column(heading)
    for entry in entries:
        table.add_row(*_line(entry))
    screen.print(table)


def _line(entry: Entry) -> tuple[str | Text, ...]:
    if entry.fault:
        return entry.kind, entry.version, Text("damaged", "red"), "", "", Text(entry.fault, "red")
    serves = f"{entry.serves_from}" if entry.serves_from else ""
    figure = entry.first_figure
    words = in_words(figure.metric, figure) if figure else NOT_MEASURED
    return (
        entry.kind,
        entry.version,
        entry.alias,
        f"{serves} (forced)" if entry.forced else serves,
        entry.seen_until,
        words,
    )


def show_model(
    screen: Console,
    stored: Stored,
    promotions: Sequence[Promotion],
    verdicts: Sequence[Mapping[str, Any]],
) -> None:
    """Print a version's card: what it is worth out of sample, then what it is and has seen."""
    told = stored.card
    screen.print(f"[bold]{stored.kind} {stored.version}[/bold], made {told['created']}")
    figures, baselines = card.figures(told), card.baselines(told)
    if figures:
        screen.print(measured_table("", {"this model": figures, **baselines}))
        for sentence in evidences([*figures, *(f for b in baselines.values() for f in b)]):
            screen.print(sentence, style="dim")
    else:
        screen.print(f"accuracy: {NOT_MEASURED}")
    screen.print(_facts(told))
    for promotion in promotions:
        screen.print(promotion_line(promotion))
    for verdict in verdicts:
        word = "passed" if verdict["passed"] else "refused"
        screen.print(f"gate {verdict['time'][:10]}: {word}: {'; '.join(verdict['reasons'])}")
    page = stored.folder / CARD_PAGE
    whole = f" The whole card: {page}" if page.exists() else ""
    screen.print(f"{told['advice']}{whole}", soft_wrap=True)


def _facts(told: Mapping[str, Any]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2), pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    table.add_row("learnt", ", ".join(told["underlyings"]))
    table.add_row("has seen until", told["seen_until"])
    table.add_row("features", f"{len(told['features'])}")
    for key in ("label", "splits", "intended_use"):
        if isinstance(told.get(key), str):
            table.add_row(key.replace("_", " "), told[key])
    for limit in told["limits"]:
        table.add_row("limit", str(limit))
    return table


def promotion_line(promotion: Promotion) -> str:
    """Return one decision as a line."""
    verb = "promoted" if promotion.act == "promote" else "returned to"
    forced = ", by force" if promotion.forced else ""
    return (
        f"{verb} {promotion.version} from {promotion.takes_effect} on, decided "
        f"{promotion.decided_at:%Y-%m-%d %H:%M} UTC{forced}: {promotion.reason}"
    )


def show_checks(screen: Console, checks: Sequence[Check]) -> None:
    """Print one line a check."""
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for check in checks:
        result = Text(check.fault, "red") if check.fault else Text("ok", "green")
        table.add_row(check.kind, check.what, result)
    screen.print(table)


def show_figures(screen: Console, figures: Sequence[Measured]) -> None:
    """Print what a judge measured."""
    if figures:
        screen.print(measured_table("", {"on unseen sessions": figures}))
        for sentence in evidences(figures):
            screen.print(sentence, style="dim")
