"""The page's template: how figures become text, and everything it needs put inside it."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from optiq.report.money import grouped, rupees
from optiq.trade.book import PAISE

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

MISSING = "–"
MINUS = "−"
UNBROKEN = "\N{NO-BREAK SPACE}"
SCRIPTS = ("uplot/uPlot.iife.min.js", "charts.js", "tables.js")
STYLES = ("uplot/uPlot.min.css", "page.css")


def render(figures: Mapping[str, Any], drawn: Mapping[str, Any]) -> str:
    """Return the page: ``figures`` fill the template, ``drawn`` is what its charts read."""
    scripts = [asset(name) for name in SCRIPTS]
    return (
        environment()
        .get_template("page.html")
        .render(
            **figures,
            data=data_block(drawn),
            scripts=scripts,
            styles="\n".join(asset(name) for name in STYLES),
            licence=asset("uplot/LICENSE"),
            policy=policy(scripts),
        )
    )


def environment() -> Environment:
    """Return what fills templates: escaping everything, a missing figure an error."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(
        autoescape=True,
        loader=FunctionLoader(asset),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(_filters())
    return made


def _filters() -> dict[str, Callable[..., str]]:
    return {
        "paise": paise,
        "rupees": in_rupees,
        "count": lambda number: grouped(number).replace("-", MINUS),
        "percent": percent,
        "ratio": lambda value: decimal(value, 2),
        "tenths": lambda value: decimal(value, 1),
        "tone": tone,
        "breakable": breakable,
    }


def asset(name: str) -> str:
    """Return a file that ships beside this one."""
    return files("optiq.report").joinpath(name).read_text("utf-8")


def policy(scripts: list[str]) -> str:
    """Return a content security policy: nothing from anywhere, and no script but these."""
    hashes = (base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src 'unsafe-inline'; script-src {allowed}"
    )


def data_block(drawn: Mapping[str, Any]) -> str:
    """Return JSON that cannot end the script element it stands in."""
    text = json.dumps(drawn, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def paise(amount: float, *, signed: bool = False) -> str:
    """Return paise as rupees with Indian digit grouping.

    >>> paise(-12345678), paise(5, signed=True), paise(float("nan"))
    ('−1,23,456.78', '+0.05', '–')
    """
    if math.isnan(amount):
        return MISSING
    return rupees(Decimal(round(amount)) / PAISE, signed=signed).replace("-", MINUS)


def in_rupees(amount: float | None, *, signed: bool = False) -> str:
    """Return rupees as `paise` does.

    >>> in_rupees(49101.565), in_rupees(None)
    ('49,101.57', '–')
    """
    if amount is None or math.isnan(amount):
        return MISSING
    return rupees(amount, signed=signed).replace("-", MINUS)


def percent(fraction: float | None, digits: int = 1) -> str:
    """Return a fraction in per cent, its sign kept on the same line.

    >>> percent(0.35).split(), percent(0.00178, 2).split(), percent(None)
    (['35.0', '%'], ['0.18', '%'], '–')
    """
    if fraction is None or math.isnan(fraction):
        return MISSING
    return f"{100 * fraction:.{digits}f}{UNBROKEN}%".replace("-", MINUS)


def decimal(value: float | None, digits: int) -> str:
    """Return a number with a fixed number of decimals.

    >>> decimal(0.876, 2), decimal(float("nan"), 1)
    ('0.88', '–')
    """
    if value is None or math.isnan(value):
        return MISSING
    return f"{value:.{digits}f}".replace("-", MINUS)


def breakable(text: str) -> Markup:
    """Return escaped text that a narrow page may break after an underscore or a dot.

    >>> breakable("<b>_x")
    Markup('&lt;b&gt;_<wbr>x')
    """
    from markupsafe import Markup, escape

    broken = str(escape(text)).replace("_", "_<wbr>").replace(".", ".<wbr>")
    return Markup(broken)  # what came from outside is escaped by now


def tone(amount: float | None) -> str:
    """Return the class of an amount: ``gain``, ``loss`` or none.

    >>> tone(3), tone(-0.5), tone(0), tone(None)
    ('gain', 'loss', '', '')
    """
    return "gain" if (amount or 0) > 0 else "loss" if (amount or 0) < 0 else ""
