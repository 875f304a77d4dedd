"""``optiq charges``: what one order costs, line by line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from optiq.cli.options import (
    ConfigOption,
    ExpiryOption,
    JsonOption,
    OnOption,
    SetOption,
    UnderlyingOption,
)

if TYPE_CHECKING:
    import datetime as dt

PriceOption = Annotated[float, typer.Option(help="Premium per unit, in rupees.", min=0.01)]
SideOption = Annotated[Literal["buy", "sell"], typer.Option(help="What the order does.")]
LotsOption = Annotated[int | None, typer.Option(help="Size in lots of the contract.", min=1)]
QuantityOption = Annotated[int | None, typer.Option(help="Size in units instead.", min=1)]


def charges(
    side: SideOption,
    price: PriceOption,
    on: OnOption,
    underlying: UnderlyingOption = "NIFTY",
    lots: LotsOption = None,
    quantity: QuantityOption = None,
    expiry: ExpiryOption = None,
    overrides: SetOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what one executed order costs: each line, and the total to the paisa.

    Give --lots or --quantity. Lots are those of the contracts of --expiry, else the next expiry.
    """
    from optiq.cli.output import emit, warn
    from optiq.cli.settings import run_settings
    from optiq.market.calendar import session
    from optiq.trade.charges import charge_lines, schedule

    settings, _, _ = run_settings((), config, overrides or [])
    in_force = schedule(underlying, on, settings.broker)
    session(on, underlying)  # nothing is charged on a day without one
    units, unsure = _units(underlying, on, lots, quantity, expiry)
    premium_paise = _paise(price) * units
    lines = charge_lines(premium_paise, 1 if side == "buy" else -1, in_force)
    leaning = [*unsure, *in_force.low_confidence]
    result = {**lines._asdict(), "quantity": units, "premium": premium_paise / 100}
    result |= {"low_confidence": leaning}
    title = f"{side} {units} {underlying} at {price:.2f} on {on}, {in_force.broker}"
    emit(result, as_json=as_json, show=lambda screen: _print(screen, title, result))
    for row in leaning if not as_json else ():
        warn(f"rests on {row}")


def _units(
    underlying: str,
    on: dt.date,
    lots: int | None,
    quantity: int | None,
    expiry: dt.date | None,
) -> tuple[int, tuple[str, ...]]:
    """Return the order's units, and the lot's row where that is not a sure one."""
    import numpy as np

    from optiq.errors import InputError
    from optiq.market.contracts import expiries_after, lot_size, require_expiry, unsure_lots

    if quantity is not None and lots is None:
        return quantity, ()
    if lots is None or quantity is not None:
        raise InputError("an order has one size", "give either --lots or --quantity")
    if expiry:
        require_expiry(underlying, expiry, on)
    named = expiry or expiries_after(underlying, on, 1)[0]
    unsure = unsure_lots(underlying, np.array([named], "datetime64[D]"), on)
    return lots * lot_size(underlying, named, on).size, unsure


def _paise(price: float) -> int:
    from optiq.errors import InputError

    if not math.isfinite(price) or round(price, 2) != price:
        raise InputError(
            f"--price {price} is no whole number of paise", "give rupees with two decimals"
        )
    return round(price * 100)


def _print(screen: Any, title: str, result: dict[str, Any]) -> None:
    from optiq.cli.output import table
    from optiq.report.money import rupees
    from optiq.trade.charges import LINES

    rows = table(title, "line", ">rupees")
    for name in LINES:
        rows.add_row(name, f"{result[name]:.4f}")
    rows.add_section()
    rows.add_row("total", rupees(result["total"]))
    screen.print(rows)
    share = 100 * result["total"] / result["premium"]
    screen.print(f"{share:.3f} % of a premium of {rupees(result['premium'])}")
