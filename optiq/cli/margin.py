"""``optiq margin``: what a package with sold legs binds, and how sure that is."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from optiq.cli.legs import EXAMPLE, SYNTAX, LegWords, parse_percent, read_legs
from optiq.cli.options import (
    STORE,
    AtOption,
    ConfigOption,
    DateOption,
    ExpiryOption,
    JsonOption,
    SetOption,
    StoreOption,
    UnderlyingOption,
    parse_date,
)

if TYPE_CHECKING:
    import numpy as np

    from optiq.market.panel import Panel
    from optiq.trade.fills import WalkSettings
    from optiq.trade.priced_legs import Leg, Package, Quoted

LegOption = Annotated[
    list[str],
    typer.Option("--leg", metavar="WORDS", help=f'{SYNTAX}: "{EXAMPLE}"; 1 to 4 of them.'),
]
DayOption = Annotated[
    dt.date | None,
    typer.Option(
        "--on",
        metavar="YYYY-MM-DD",
        help="The day whose rules apply, for a market you describe.",
        parser=parse_date,
    ),
]
SpotOption = Annotated[float | None, typer.Option(help="Level of the index.", min=0.01)]
ForwardOption = Annotated[
    float | None, typer.Option(help="Forward of the expiry; else the spot.", min=0.01)
]
VolatilityOption = Annotated[
    float,
    typer.Option(
        "--iv",
        metavar="IV%",
        help="Volatility of legs that name none.",
        parser=parse_percent,
        show_default=False,
    ),
]


class Given(NamedTuple):
    """What the options say of the market; NaN and None are left open."""

    at: dt.time | None
    expiry: dt.date | None
    spot: float
    forward: float
    volatility: float

    def over(self, quoted: Quoted) -> Quoted:
        """Return what is quoted with what the options say in its place."""
        return quoted.overruled(self.spot, self.forward, self.volatility)


def margin(
    leg: LegOption,
    underlying: UnderlyingOption = "NIFTY",
    on: DayOption = None,
    expiry: ExpiryOption = None,
    spot: SpotOption = None,
    forward: ForwardOption = None,
    iv: VolatilityOption = math.nan,
    date: DateOption = None,
    at: AtOption = None,
    store: StoreOption = STORE,
    overrides: SetOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what a package of options binds: premium, or margin where it sells.

    SPAN, the exchanges' method, revalues the package in sixteen scenarios: the
    index up and down by thirds of its scan range while volatility rises or
    falls, and twice the range with 35 % of the loss counted. The largest loss
    is the margin, here never more than the package can lose at expiry. Exposure
    comes on top, and as much again for what expires that day.

    This is an approximation, and brokers differ among themselves. The last line
    says how far it is from a figure that a broker showed.

    Describe a market with --on and --spot: a leg without a price gets the
    model's, one without a volatility that of its price. Or take the quotes of a
    stored session with --date and --at. Legs that name no expiry expire on
    --expiry, else on the next one.

    optiq margin --on 2025-07-09 --spot 25682 --leg "sell 1 25700 CE @232.05"
    """
    from optiq.cli.output import emit, warn
    from optiq.cli.settings import run_settings
    from optiq.errors import InputError
    from optiq.market.schema import PRICES
    from optiq.market.store import Store
    from optiq.report.margin_table import margin_result, show_margin

    words = read_legs(leg)
    given = Given(at, expiry, _or_nan(spot), _or_nan(forward), iv)
    if on is not None and date is None:
        package, notes = _described(words, underlying, on, given)
    elif date is not None and on is None:
        settings, _, _ = run_settings((), config, overrides or [])
        panel = Store(store).read_panel(underlying, date, (*PRICES, "iv"))
        package, notes = _stored(words, panel, given, settings.walk)
    else:
        raise InputError(
            "a margin is asked for one day",
            "give --on with --spot, or --date of a stored session",
        )
    result = margin_result(package)
    result["notes"] = [*notes, *result["notes"]]
    emit(result, as_json=as_json, show=lambda screen: show_margin(screen, result))
    for text in [] if as_json else result["notes"]:
        warn(text)
    for row in [] if as_json else result["low_confidence"]:
        warn(f"rests on {row}")


def _described(
    words: list[LegWords], underlying: str, on: dt.date, given: Given
) -> tuple[Package, tuple[str, ...]]:
    """Return the legs in a market that the options describe, at the open unless --at says more."""
    import numpy as np

    from optiq.errors import InputError
    from optiq.market.calendar import session
    from optiq.market.contracts import expiries_after, require_expiry
    from optiq.trade.priced_legs import Quoted, priced

    opening = session(on, underlying).open_utc
    if math.isnan(given.spot):
        raise InputError("--on describes a market without its level", "give --spot as well")
    legs = _legs(words, given.expiry or expiries_after(underlying, on, 1)[0])
    for leg in legs:
        require_expiry(underlying, leg.expiry, on)
    unknown = np.full(len(legs), np.nan)
    level = np.full(len(legs), given.spot)
    quoted = Quoted(given.spot, level, unknown, unknown)
    moment = opening if given.at is None else _utc(on, given.at)
    return priced(legs, underlying, moment, given.over(quoted)), ()


def _stored(
    words: list[LegWords], panel: Panel, given: Given, settings: WalkSettings
) -> tuple[Package, tuple[str, ...]]:
    """Return the legs as a stored session quotes them, at its end unless --at says when."""
    from optiq.market.contracts import expiry_close_utc
    from optiq.trade.priced_legs import chain_row_at, priced, quoted_at

    row = chain_row_at(panel, panel.ts[-1] if given.at is None else _utc(panel.date, given.at))
    moment = panel.ts[row]
    alive = panel.expiries[expiry_close_utc(panel.expiries, panel.underlying) > moment]
    nearest = alive[0] if len(alive) else panel.expiries[-1]
    legs = _legs(words, given.expiry or nearest.astype("datetime64[D]").item())
    quoted = quoted_at(panel, row, legs, settings)
    return priced(legs, panel.underlying, moment, given.over(quoted)), panel.notes


def _legs(words: list[LegWords], expiry: dt.date) -> list[Leg]:
    from optiq.trade.priced_legs import Leg

    return [Leg(**leg._replace(expiry=leg.expiry or expiry)._asdict()) for leg in words]


def _utc(day: dt.date, at: dt.time) -> np.datetime64:
    from optiq.market.calendar import utc

    return utc(day, 60 * at.hour + at.minute + at.second / 60)


def _or_nan(number: float | None) -> float:
    return math.nan if number is None else number
