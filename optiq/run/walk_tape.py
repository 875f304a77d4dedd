"""What the walk reads of a day that is still coming in: the rows' own memory, never copied."""

from __future__ import annotations

import numpy as np

from optiq.market.contracts import expiry_close_utc
from optiq.market.growing_panel import GrowingPanel
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray, IntArray
from optiq.trade.book import Quotes, Risk


class WalkTape:
    """The arrays of a growing panel as the compiled walk wants them.

    They are as long as the panel has room for; the walk reads only rows that have arrived.
    """

    def __init__(self, rows: GrowingPanel, *, needs_margin: bool) -> None:
        self._rows, self._needs_margin = rows, needs_margin
        self._chain_count: IntArray = np.zeros(0, np.int64)
        self._forward: FloatArray = np.empty((0, 0))
        self._volatility: FloatArray = np.empty((0, 0))
        self.quotes = self._quotes()
        self.risk = self._risk()

    def show(self, first: int, chain: Panel | None) -> bool:
        """Take in the rows from ``first`` on, and tell whether contracts came with them.

        ``chain`` holds the chain rows so far; None where none of the new rows is one.
        """
        rows = self._rows
        new_contracts = len(self.quotes.strike) != len(rows.contracts)
        if new_contracts or self._ltp is not rows.prices["ltp"].all:
            self.quotes = self._quotes()
        new = np.arange(first, rows.n_rows)
        earlier = self._chain_count[first - 1] if first else 0
        self._chain_count[new] = earlier + np.cumsum(rows.is_chain[new])
        if self._needs_margin:
            self._show_margin(new[rows.is_chain[new]], chain, new_contracts)
        return new_contracts

    def _quotes(self) -> Quotes:
        rows, contracts = self._rows, self._rows.contracts
        room = len(rows.ts) - len(self._chain_count)
        self._chain_count = np.append(self._chain_count, np.zeros(room, np.int64))
        self._ltp = rows.prices["ltp"].all
        ltp, bid, ask = (rows.prices[name].all.T for name in ("ltp", "bid", "ask"))
        return Quotes.frozen(
            ts=rows.ts.view(np.int64),
            known=rows.known.view(np.int64),
            is_chain=rows.is_chain,
            chain_count=self._chain_count,
            spot=rows.spot,
            ltp=ltp,
            bid=bid if rows.has_book else ltp,
            ask=ask if rows.has_book else ltp,
            strike=contracts.strike,
            right=contracts.right,
            expiry=contracts.expiry.astype(np.int64),
            lot=contracts.lot,
            has_book=rows.has_book,
        )

    def _show_margin(self, new: IntArray, chain: Panel | None, new_contracts: bool) -> None:
        shape = self.quotes.ltp.shape
        if self._forward.shape != shape:
            self._forward = _grown(self._forward, shape)
            self._volatility = _grown(self._volatility, shape)
        if new_contracts or self.risk.forward is not self._forward:
            self.risk = self._risk()
        if chain is not None:
            n_contracts, last = chain.n_contracts, slice(chain.n_rows - len(new), None)
            forward = chain.forward_by_expiry[last]
            self._forward[new, :n_contracts] = forward[:, chain.expiry_index]
            self._volatility[new, :n_contracts] = chain.iv[last]

    def _risk(self) -> Risk:
        contracts = self._rows.contracts
        close = expiry_close_utc(contracts.expiry, self._rows.underlying)
        return Risk(
            forward=self._forward,
            volatility=self._volatility,
            expiry_close_us=close.astype("datetime64[us]").astype(np.int64),
            expires_today=contracts.expiry == np.datetime64(self._rows.date, "D"),
        )


def _grown(values: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    grown = np.full(shape, np.nan)
    grown[: values.shape[0], : values.shape[1]] = values
    return grown
