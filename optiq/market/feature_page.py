"""The page of the documentation that the table of features makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from optiq.market.feature_table import CONTRACT_FEATURES, MARKET_FEATURES, SYMBOLS, Feature

HEADINGS = ("feature", "formula", "unit", "window", "from")


def as_markdown() -> str:
    """Return the whole page, ``docs/features.md``.

    >>> as_markdown().splitlines()[0]
    '# Features'
    """
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Features"
    yield ""
    yield f"What models see: {len(MARKET_FEATURES)} numbers of the market and"
    yield f"{len(CONTRACT_FEATURES)} of a contract, in this order. This page is made from"
    yield "`optiq/market/feature_table.py`; `optiq features --date D --at 10:15` prints the values"
    yield "of a moment."
    yield ""
    yield "Only chain snapshots count. A row says the same whether the panel ends there or at the"
    yield "close. What is missing is NaN, never 0, and nothing is infinite."
    yield ""
    yield from _table(("in the formulas", "stands for"), SYMBOLS)
    yield from _section("Market", MARKET_FEATURES)
    yield from _section("Contract", CONTRACT_FEATURES)


def _section(title: str, features: Iterable[Feature]) -> Iterator[str]:
    features = tuple(features)
    rows = ((f"`{f.name}`", f.formula, f.unit, f.window, f.source) for f in features)
    yield from ("", f"## {title}", "")
    yield from _table(HEADINGS, rows)
    yield ""
    yield from (f"- `{f.name}`: {f.note}." for f in features if f.note)


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _row(headings)
    yield _row("---" for _ in headings)
    yield from (_row(row) for row in rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
