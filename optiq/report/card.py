"""A model card as one HTML page: made from the card alone, never typed, no network, no script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optiq import __version__
from optiq.learn import card as cards
from optiq.learn.intervals import ENOUGH_SESSIONS
from optiq.learn.measured import NOT_MEASURED, Evidence, Measured
from optiq.report.card_plots import HEIGHT, WIDTH, decile_plot, reliability_plot
from optiq.report.measured_table import (
    bounds_text,
    evidence_text,
    evidences,
    metrics,
    number_text,
    require_measured,
)
from optiq.report.money import grouped
from optiq.report.template import asset, environment, policy

NAMES = {"scorer": "Signal scorer", "policy": "Policy", "direction": "Direction model"}
THIS = "this model"
TILES = 6
LEAST_SHARE = 0.0005
"""Features under it are counted, not listed."""
PLOTTED = ("reliability", "deciles")
SHOWN = {
    *("kind", "version", "parent", "created", "underlyings", "sessions", "seen_until", "features"),
    *("features_hash", "figures", "baselines", "tables", "audit", "trials", "limits", "hashes"),
    *("intended_use", "advice", "importance", "label"),
}
"""What has a place of its own; whatever else a card says is listed as it is."""


def card_page(card: Mapping[str, Any]) -> str:
    """Return the page of a card as `registry.save` completes it; the same card, the same page.

    Hand it to ``registry.save(..., render=card_page)``. `DamagedError` if a figure in it is not
    one that was measured out of sample.
    """
    figures, baselines = cards.figures(card), cards.baselines(card)
    columns: dict[str, Sequence[Measured]] = {THIS: figures, **baselines}
    require_measured(columns)
    return (
        environment()
        .get_template("card.html")
        .render(
            card=card,
            name=NAMES[card["kind"]],
            tiles=[_tile(figure) for figure in figures[:TILES]],
            columns=list(columns),
            lines=[_line(metric, columns) for metric in metrics(columns)],
            evidences=evidences([*figures, *(f for b in baselines.values() for f in b)]),
            warnings=list(_warnings(card, figures)),
            not_measured=NOT_MEASURED,
            plots=list(_plots(card)),
            size=(WIDTH, HEIGHT),
            more_tables=list(_more_tables(card)),
            importance=_importance(card),
            idle=sum(one["share"] < LEAST_SHARE for one in card.get("importance") or ()),
            facts=list(_facts(card)),
            trials=list(_flat(card.get("trials") or {})),
            version=__version__,
            styles="\n".join(asset(name) for name in ("page.css", "card.css")),
            policy=policy([]),
        )
    )


def _tile(figure: Measured) -> dict[str, str]:
    return {
        "metric": figure.metric,
        "value": number_text(figure.interval.value).replace("-", "−"),
        "beneath": bounds_text(figure).replace("-", "−"),
    }


def _line(metric: str, columns: Mapping[str, Sequence[Measured]]) -> dict[str, Any]:
    found = (next((f for f in figures if f.metric == metric), None) for figures in columns.values())
    return {"metric": metric, "cells": [f and _tile(f) for f in found]}


def _warnings(card: Mapping[str, Any], figures: Sequence[Measured]) -> Iterator[str]:
    """Yield what a reader should know first."""
    if not figures:
        yield "Nothing about this model was measured out of sample: there is no figure to trust."
    few: dict[str, list[str]] = {}
    for figure in figures:
        if 0 < figure.interval.sessions < ENOUGH_SESSIONS:
            few.setdefault(figure.interval.note, []).append(figure.metric)
    for note, names in few.items():
        which = "any figure here" if len(names) == len(figures) else ", ".join(names)
        yield f"{note}. Chance alone may explain {which}."
    for check in card.get("audit") or ():
        if not check["passed"]:
            yield f"The audit for leaks failed: {check['check']}: {check['says']}"


def _plots(card: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    tables = card.get("tables") or {}
    made = (
        ("reliability", reliability_plot, "Does 60 mean 60 %?"),
        ("deciles", decile_plot, "What the scores were worth"),
    )
    for key, make, title in made:
        plot = make(tables[key]["rows"]) if key in tables else None
        if plot is not None:
            proof = Evidence.from_json(tables[key]["evidence"])
            told = evidence_text(proof)
            yield {"key": key, "title": title, "plot": plot, "evidence": told}


def _more_tables(card: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the measured tables that have no plot of their own, as text."""
    for name, table in (card.get("tables") or {}).items():
        if name not in PLOTTED and table["rows"]:
            columns = list(dict.fromkeys(key for row in table["rows"] for key in row))
            yield {
                "name": name.replace("_", " "),
                "columns": columns,
                "rows": [[_cell(row.get(key)) for key in columns] for row in table["rows"]],
                "evidence": evidence_text(Evidence.from_json(table["evidence"])),
            }


def _cell(value: Any) -> str:
    return number_text(value) if isinstance(value, float) else _leaf(value)


def _importance(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return features with their share of the contributions, largest first, and a bar's length."""
    shares = (one for one in card.get("importance") or () if one["share"] >= LEAST_SHARE)
    listed = sorted(shares, key=lambda one: -one["share"])
    most = listed[0]["share"] if listed else 1.0
    return [{**one, "long": one["share"] / most if most else 0.0} for one in listed]


SENTENCE = 60
"""What is longer than so many characters stands on a line of its own."""


def _facts(card: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield what else the card says, a heading and its lines each."""
    for key, value in card.items():
        if key not in SHOWN:
            yield key.replace("_", " "), list(_flat(value))


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the leaves of a JSON value, each with the path that leads to it."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{name} {key}".strip())
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for number, item in enumerate(value, 1):
            yield from _flat(item, f"{name} {number}".strip())
    elif isinstance(value, list) and any(len(str(item)) > SENTENCE for item in value):
        yield from ((name, _leaf(item)) for item in value)
    elif isinstance(value, list):
        yield name, ", ".join(map(_leaf, value)) or "none"
    else:
        yield name, _leaf(value)


def _leaf(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return grouped(value) if isinstance(value, int) else str(value)
