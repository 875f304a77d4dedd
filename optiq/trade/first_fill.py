"""What an order given at a moment of somebody else's choosing would have filled at."""

from __future__ import annotations

from typing import Any

from optiq.market.compiling import compiled
from optiq.trade.book import Quotes
from optiq.trade.fills import NOT_EXECUTABLE, executable_paise, is_worthless


@compiled
def first_fill(
    quotes: Quotes, contract: int, side: int, leaving: bool, until_us: int, row: int, terms: Any
) -> tuple[int, int]:
    """Return the first row from ``row`` on that fills, and at what, in paise.

    ``side`` is what is done, +1 buys and -1 sells; a sale that leaves a bought leg may be one that
    gives it up at 0. (-1, NOT_EXECUTABLE) where no row up to ``until_us`` fills. ``terms`` has
    ``half_spread`` and ``slippage_ticks``.
    """
    while row < len(quotes.ts) and quotes.ts[row] <= until_us:
        if leaving and is_worthless(quotes, row, contract, -side):
            return row, 0
        paise = executable_paise(quotes, row, contract, side, terms)
        if paise != NOT_EXECUTABLE:
            return row, paise
        row += 1
    return -1, NOT_EXECUTABLE
