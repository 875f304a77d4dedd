"""A margin as a person and as a program reads it: its parts, what it saves, how sure it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from optiq.market.contracts import unsure_lots
from optiq.market.day_view import ist
from optiq.market.schema import RIGHT_NAMES
from optiq.report.money import rupees
from optiq.trade.margin import margin_rates, margin_rows
from optiq.trade.margin_records import margin_records
from optiq.trade.priced_legs import Package

FAR_STRIKE = 0.10
"""Beyond this share of the spot the exchange asks more exposure for a sold strike."""
SIDES = {1: "buy", -1: "sell"}


def margin_result(package: Package) -> dict[str, Any]:
    """Return a package's margin with everything it was computed from, ready for JSON."""
    rates = margin_rates(package.underlying, package.on)
    margin = package.margin(rates)
    alone = package.sold_alone(rates) if package.sells else math.nan
    return {
        "underlying": package.underlying,
        "at": package.moment,
        "spot": package.spot,
        "notional": package.notional,
        "legs": _legs(package),
        **margin._asdict(),
        "sold_alone": alone,
        "rates": rates._asdict(),
        "records": _records(),
        "low_confidence": list(_low_confidence(package)),
        "notes": list(_left_out(package)),
    }


def _legs(package: Package) -> list[dict[str, Any]]:
    return [
        {
            "side": SIDES[int(package.side[k])],
            "quantity": package.quantity[k],
            "strike": package.strike[k],
            "right": RIGHT_NAMES[int(package.right[k])],
            "expiry": package.expiry[k],
            "days": 365 * package.years[k],
            "forward": package.forward[k],
            "iv": package.volatility[k],
            "price": package.price[k],
        }
        for k in range(len(package.side))
    ]


def _records() -> list[dict[str, Any]]:
    """Return what the approximation says of each recorded figure, computed now."""
    return [
        {
            "broker": record.row["broker"],
            "what": f"one lot of {record.underlying} {record.leg.name} sold",
            "asked": record.total,
            "approximated": record.model().total,
            "error": record.error(),
            "source": record.row["source"],
        }
        for record in margin_records()
    ]


def _low_confidence(package: Package) -> Iterator[str]:
    """Yield the rows it leans on that no official page or second source confirms."""
    yield from unsure_lots(package.underlying, package.expiry, package.on)
    rows = margin_rows(package.underlying, package.on) if package.sells else {}
    for name, row in rows.items():
        if row["confidence"] != "high":
            yield (
                f"{name} {row['value']} since {row['effective_from']} "
                f"({row['confidence']} confidence)"
            )


def _left_out(package: Package) -> Iterator[str]:
    """Yield what the exchange would add for such a package and the approximation does not."""
    sold = package.side < 0
    if sold.any() and len(np.unique(package.expiry)) > 1:
        yield (
            "the legs expire on different days: the exchange's calendar spread charge, "
            "and its refusal of any benefit on expiry day, are not in this figure"
        )
    far = np.abs(package.strike - package.spot) > FAR_STRIKE * package.spot
    if (sold & far).any():
        yield (
            "a sold strike is over 10 % away from the index: the exposure that the exchange adds "
            "there is not in this figure"
        )


def show_margin(screen: Console, result: dict[str, Any]) -> None:
    """Print a margin: its legs, its parts, the same unhedged, and how far to trust it."""
    screen.print(_legs_table(result))
    screen.print(_parts_table(result))
    for line in _sentences(result):
        screen.print(line, markup=False, soft_wrap=True)


def _legs_table(result: dict[str, Any]) -> Table:
    moment = ist(result["at"])
    title = (
        f"{result['underlying']} on {moment:%Y-%m-%d %H:%M} IST, index at {rupees(result['spot'])}"
    )
    table = _table(title, "leg", "expiry", ">days", ">units", ">price", ">volatility", ">forward")
    for leg in result["legs"]:
        table.add_row(
            f"{leg['side']} {leg['strike']:g} {leg['right']}",
            str(leg["expiry"]),
            f"{leg['days']:.2f}",
            str(leg["quantity"]),
            rupees(float(leg["price"])),
            _percent(leg["iv"]),
            rupees(float(leg["forward"])),
        )
    return table


def _parts_table(result: dict[str, Any]) -> Table:
    table = _table("", "part", ">rupees", ">of notional", "")
    if not result["notional"]:
        table.add_row("premium paid", rupees(result["total"]), "", "all that bought legs bind")
        return table
    for name, amount, remark in _parts(result):
        if name == "total":
            table.add_section()
        share = _percent(amount / result["notional"]) if math.isfinite(amount) else ""
        money = rupees(amount) if math.isfinite(amount) else "no limit"
        table.add_row(name, money, share, remark)
    return table


def _parts(result: dict[str, Any]) -> Iterator[tuple[str, float, str]]:
    """Yield name, rupees and remark of each part; of the first three one counts."""
    scan, width, cost = result["scan"], result["width"], result["net_premium"]
    least = min(scan, width)
    counted = "premium" if cost > max(least, 0.0) else "scan" if scan <= width else "width"
    words = {
        "scan": (scan, "largest loss of 16 scenarios"),
        "width": (width, "largest loss at expiry"),
        "premium": (cost, "paid" if cost > 0 else "received"),
    }
    for name, (amount, remark) in words.items():
        yield name, amount, f"{remark}, counts" if name == counted else remark
    yield "exposure", result["exposure"], ""
    yield "expiry day", result["expiry_day"], ""
    yield "total", result["total"], ""


def _sentences(result: dict[str, Any]) -> Iterator[str]:
    if not result["notional"]:
        return
    if any(leg["side"] == "buy" for leg in result["legs"]):
        saved = result["sold_alone"] - result["total"]
        yield (
            f"Naked, the sold legs bind {rupees(result['sold_alone'])}: "
            f"the hedge {'saves' if saved >= 0 else 'adds'} {rupees(abs(saved))}."
        )
    yield "An approximation of the exchanges' SPAN, and brokers differ among themselves."
    for record in result["records"]:
        more = "more" if record["error"] >= 0 else "less"
        yield (
            f"On record: {record['broker']} asked {rupees(record['asked'])} for "
            f"{record['what']}; this says {rupees(record['approximated'])}, "
            f"{100 * abs(record['error']):.1f} % {more}."
        )


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for heading in headings:
        number = heading.startswith(">")
        table.add_column(heading.removeprefix(">"), justify="right" if number else "left")
    return table


def _percent(fraction: float) -> str:
    return "-" if math.isnan(fraction) else f"{round(100 * fraction, 2) + 0.0:.2f} %"  # no -0.00
