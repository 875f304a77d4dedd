"""``optiq features``: what a model sees of one moment, and how each number is made."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optiq.cli.options import (
    STORE,
    ConfigOption,
    DateOption,
    ExpiryOption,
    JsonOption,
    StoreOption,
    UnderlyingOption,
)
from optiq.errors import InputError

if TYPE_CHECKING:
    from optiq.run.feature_row import FeatureRow


def parse_clock(text: str | float) -> float:
    """Read HH:MM or HH:MM:SS as a minute of the day; a minute stays one.

    >>> parse_clock("9:15"), parse_clock("10:15:30")
    (555.0, 615.5)
    """
    if isinstance(text, float):
        return text
    try:
        form = "%H:%M:%S" if text.count(":") > 1 else "%H:%M"
        clock = dt.datetime.strptime(text, form).replace(tzinfo=dt.UTC)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time of day; write 10:15") from None
    return 60.0 * clock.hour + clock.minute + clock.second / 60.0


AtOption = Annotated[
    float | None,
    typer.Option(
        "--at",
        metavar="HH:MM",
        help="The last snapshot at or before it, IST; without it, the day's last.",
        parser=parse_clock,
    ),
]
ContractOption = Annotated[
    str | None, typer.Option("--contract", help='Its features as well, such as "24500 CE".')
]
ListOption = Annotated[
    bool, typer.Option("--list", help="Print how every feature is made; needs no data.")
]


def features(
    date: DateOption = None,
    at: AtOption = None,
    contract: ContractOption = None,
    expiry: ExpiryOption = None,
    underlying: UnderlyingOption = "NIFTY",
    list_all: ListOption = False,
    store: StoreOption = STORE,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what a model sees of one moment of a stored day: every feature, unit and formula.

    The features of the market; with --contract those of a contract too, of --expiry or else of the
    nearest expiry with an hour to live. What is missing is shown as - (null in JSON), never as 0.
    """
    from optiq.cli.output import emit
    from optiq.market.feature_table import FEATURES, SYMBOLS

    if list_all:
        listed = {"features": list(FEATURES), "symbols": dict(SYMBOLS)}
        return emit(listed, as_json=as_json, show=_show_table)
    if date is None:
        raise InputError("no day given", "--date YYYY-MM-DD, or --list for the formulas alone")

    from optiq.market.store import Store
    from optiq.run.feature_row import contract_of, feature_row

    if expiry is not None and contract is None:
        raise InputError("an expiry without a contract", 'add --contract "24500 CE"')
    wanted = None if contract is None else contract_of(contract, expiry)
    found = feature_row(Store(store), underlying, date, at, wanted)
    emit(
        _result(found, underlying, date),
        as_json=as_json,
        show=lambda screen: _show_row(screen, found, underlying),
    )
    return None


def _result(found: FeatureRow, underlying: str, date: dt.date) -> dict[str, Any]:
    named = found.contract
    return {
        "underlying": underlying,
        "date": date,
        "ts": found.ts,
        "contract": None if named is None else named.words,
        "features": [
            {"name": f.name, "value": value, "unit": f.unit, "formula": f.formula}
            for f, value in found.values
        ],
    }


def _show_row(screen: Any, found: FeatureRow, underlying: str) -> None:
    from optiq.cli.output import table
    from optiq.market.day_view import ist

    title = f"{underlying} at {ist(found.ts):%Y-%m-%d %H:%M:%S} IST"
    if found.contract is not None:
        title += f", {found.contract.words}"
    rows = table(title, "feature", ">value", "unit", "formula")
    rows.columns[0].min_width = max(len(feature.name) for feature, _ in found.values)
    for feature, value in found.values:
        number = "-" if value != value else f"{value:.6g}"
        rows.add_row(feature.name, number, feature.unit, feature.formula)
    screen.print(rows)


def _show_table(screen: Any) -> None:
    from optiq.cli.output import table
    from optiq.market.feature_table import FEATURES, SYMBOLS

    rows = table("", "feature", "formula", "unit", "window", "from")
    rows.columns[0].min_width = max(len(feature.name) for feature in FEATURES)
    for feature in FEATURES:
        rows.add_row(feature.name, feature.formula, feature.unit, feature.window, feature.source)
    screen.print(rows)
    words = table("", "in the formulas", "stands for")
    for symbol, meaning in SYMBOLS:
        words.add_row(symbol, meaning)
    screen.print(words)
