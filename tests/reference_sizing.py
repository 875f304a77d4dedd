"""How many lots an order of the slow walk gets and what it binds, in fractions of paise."""

from __future__ import annotations

import math
from fractions import Fraction

from reference_book import Leg
from reference_margin import MarginLeg, margin
from reference_quotes import Quotes, half_paise
from reference_settings import Settings

from optiq.market.panel import Panel
from optiq.trade.orders import Orders

MOST_LOTS = 10_000
LOT_TOLERANCE = Fraction(1, 10**9)


class Sizer:
    """Prices orders at their decision row."""

    def __init__(self, panel: Panel, quotes: Quotes, settings: Settings) -> None:
        self.panel, self.quotes, self.settings = panel, quotes, settings

    def legs(self, asked: Orders, order: int, lots: int) -> list[Leg]:
        legs = []
        for contract, side, ratio in zip(
            asked.legs[order], asked.side[order], asked.ratio[order], strict=True
        ):
            if contract >= 0:
                quantity = lots * int(ratio) * int(self.panel.lot[contract])
                legs.append(Leg(int(contract), int(side), int(ratio), quantity))
        return legs

    def lots(self, asked: Orders, order: int, row: int, realised: int) -> int:
        """Return the lots of an order; 0 where no price says how many."""
        sizing = self.settings.sizing
        one_lot = self.legs(asked, order, 1)
        if sizing.method == "lots":
            return self.settings.lots
        if sizing.method == "risk":
            budget = in_paise(sizing.risk_rupees)
            return how_many(budget, self._risk(one_lot, float(asked.stop[order]), row))
        wealth = in_paise(self.settings.capital) + realised
        return how_many(decimal(sizing.capital_fraction) * wealth, self.need(one_lot, row))

    def _risk(self, legs: list[Leg], stop: float, row: int) -> Fraction | None:
        """Paise lost at the stop; without a stop all that is bound."""
        if math.isnan(stop):
            return self.need(legs, row)
        net = Fraction(0)
        for leg in legs:
            price = self.likely_price(leg, row)
            if price is None:
                return None
            net += leg.side * leg.quantity * price
        return decimal(stop) * abs(net)

    def need(self, legs: list[Leg], row: int) -> Fraction | None:
        """Paise that the legs bind: the premium where all are bought, else the margin."""
        prices = [self.likely_price(leg, row) for leg in legs]
        priced = [price for price in prices if price is not None]
        if len(priced) < len(legs):
            return None
        if all(leg.side > 0 for leg in legs):
            return sum(
                (leg.quantity * price for leg, price in zip(legs, priced, strict=True)),
                Fraction(0),
            )
        pairs = zip(legs, priced, strict=True)
        margins = [self._margin_leg(leg, price, row) for leg, price in pairs]
        spot = self.quotes.last_spot(row)
        if spot is None:
            return None
        rupees = margin(margins, spot, self.panel.date, self.settings.margin)
        # Twelve digits: a width or a premium is exact again, in spite of floats.
        return None if math.isnan(rupees) else Fraction(f"{rupees:.12g}") * 100

    def _margin_leg(self, leg: Leg, price: Fraction, row: int) -> MarginLeg:
        panel, contract = self.panel, leg.contract
        return MarginLeg(
            side=leg.side,
            quantity=leg.quantity,
            right=int(panel.right[contract]),
            strike=float(panel.strike[contract]),
            expiry=panel.expiry[contract].item(),
            price=float(price) / 100,
            forward=self.quotes.forward[row][contract],
            iv=self.quotes.iv[row][contract],
            years=self.quotes.years(row, contract),
        )

    def likely_price(self, leg: Leg, row: int) -> Fraction | None:
        """The executable price of a leg in paise, else its mark, else None."""
        price = self.quotes.executable(row, leg.contract, leg.side)
        if price is not None:
            return Fraction(price)
        mark = self.quotes.mark(row, leg.contract)
        return None if mark is None else half_paise(mark.price)


def how_many(budget: Fraction, each: Fraction | None) -> int:
    """Return how often ``each`` goes into ``budget``, 0 to the most; nothing goes in for ever."""
    if each is None or budget <= 0:
        return 0
    if each == 0:
        return MOST_LOTS
    return min(math.floor(budget / each + LOT_TOLERANCE), MOST_LOTS)


def decimal(number: float | None) -> Fraction:
    """The number as it is written: 0.1 is a tenth."""
    return Fraction(str(number))


def in_paise(rupees: float | None) -> Fraction:
    return decimal(rupees) * 100
