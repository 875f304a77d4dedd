"""Legs of a package written as they are spoken: ``sell 1 25700 CE @232.05 2025-07-31 12.5%``."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import typer

SYNTAX = "sell|buy LOTS STRIKE CE|PE, then @PRICE, YYYY-MM-DD, IV% where known"
EXAMPLE = "sell 1 25700 CE @232.05 2025-07-31 12.5%"
MOST_LEGS = 4
HIGHEST_VOLATILITY = 5.0
NUMBER = r"\d+(?:\.\d+)?"
CONTRACT = re.compile(rf"(sell|buy) +(\d{{1,6}}) +({NUMBER}) *(CE|PE)(?: +(.+))?", re.IGNORECASE)


class LegWords(NamedTuple):
    """What one ``--leg`` says; None and NaN are what it leaves open."""

    side: int
    lots: int
    strike: float
    right: int
    expiry: dt.date | None = None
    price: float = math.nan
    volatility: float = math.nan


def read_legs(texts: list[str]) -> list[LegWords]:
    """Return the legs of a package; `InputError` names the one that cannot be read."""
    from optiq.errors import InputError

    if not 1 <= len(texts) <= MOST_LEGS:
        raise InputError(f"a package has 1 to {MOST_LEGS} legs", f'write --leg "{EXAMPLE}"')
    return [read_leg(text) for text in texts]


def read_leg(text: str) -> LegWords:
    """Return one leg.

    >>> read_leg("sell 1 25700 CE @232.05")
    LegWords(side=-1, lots=1, strike=25700.0, right=1, expiry=None, price=232.05, volatility=nan)
    >>> read_leg("buy 2 25000 pe 12.5%").volatility
    0.125
    """
    found = CONTRACT.fullmatch(text.replace("@ ", "@").strip())
    if found is None:
        raise _unreadable(text, "")
    side, lots, strike, right, rest = found.groups()
    if int(lots) == 0 or float(strike) == 0:
        raise _unreadable(text, ": lots and strike are 1 or more")
    words: dict[str, Any] = {}
    for word in (rest or "").split():
        name, value = _detail(word, text)
        if name in words:
            raise _unreadable(text, f": it has a second {name}, {word}")
        words[name] = value
    signs = (-1 if side.lower() == "sell" else 1, 1 if right.upper() == "CE" else -1)
    return LegWords(signs[0], int(lots), float(strike), signs[1], **words)


def _detail(word: str, text: str) -> tuple[str, float | dt.date]:
    """Return what a word after the contract is: each kind looks like no other."""
    readers: tuple[tuple[str, str, Callable[[str], float | dt.date]], ...] = (
        ("price", rf"@{NUMBER}", lambda found: float(found[1:])),
        ("volatility", rf"{NUMBER}%", read_percent),
        ("expiry", r"\d{4}-\d\d-\d\d", dt.date.fromisoformat),
    )
    for name, pattern, read in readers:
        if re.fullmatch(pattern, word):
            try:
                return name, read(word)
            except ValueError:
                break
    raise _unreadable(text, f": {word!r} is neither @PRICE, an expiry YYYY-MM-DD nor IV%")


def read_percent(text: str) -> float:
    """Return a volatility written in percent as a fraction; ``ValueError`` for any other text.

    >>> read_percent("12.5%")
    0.125
    """
    fraction = float(text.removesuffix("%")) / 100
    if not text.endswith("%") or not 0 < fraction <= HIGHEST_VOLATILITY:
        raise ValueError(text)
    return fraction


def parse_percent(text: str | float) -> float:
    """Read the percent of an option; a number, as typer hands over a default, stays one."""
    if isinstance(text, float):
        return text
    try:
        return read_percent(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no volatility; write percent, as 12.5%") from None


def _unreadable(text: str, why: str) -> Exception:
    from optiq.errors import InputError

    return InputError(f"cannot read --leg {text!r}{why}", f'write {SYNTAX}, as "{EXAMPLE}"')
