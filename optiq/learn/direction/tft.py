"""A compact temporal fusion transformer with three classes: sell, hold and buy.

The architecture is that of B. Lim, S. O. Arik, N. Loeff, T. Pfister, *Temporal Fusion Transformers
for Interpretable Multi-horizon Time Series Forecasting*, https://arxiv.org/abs/1912.09363. Where
this one differs, and why:

- One forecast, three classes: the last layer gives three logits instead of quantiles of many
  horizons, and the loss is the log loss. So the decoder has one step, the end of the horizon, and
  attention is asked from that step alone; no mask is needed to keep it from looking ahead.
- No identity: there is one underlying, so nothing is static for ever. What is known ahead of time
  (minutes to the close, days to expiry) takes the place of the static covariates. As it stands at
  a row it is the context of that row's variable selection; as it stands at the decision and at
  the horizon's end it sets the LSTM's first state, the enrichment and the decoder's input. So the
  selection is a function of its row alone, made once however many windows share the row.
- Past inputs are the features; a missing one has a vector of its own instead of a filled-in value.
- Rows need not be evenly spaced: the LSTM also sees the minutes since the row before and until
  the decision, so that a hole in the day is a hole. Rows before the open are not attended to.
- The sizes are small (16 wide, 4 heads of 4), because sessions are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from optiq.learn.direction.tft_blocks import (
    GatedResidual,
    GatedSkip,
    InterpretableAttention,
    VariableSelection,
)

CLASSES = 3
"""Sell, hold, buy, in this order."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the network is; stored beside its weights."""

    n_features: int
    n_known: int
    n_clocks: int
    size: int = 16
    heads: int = 4
    dropout: float = 0.2


class Rows(NamedTuple):
    """R rows of any sessions.

    ``features`` (R, n_features) scaled, 0 where missing; ``missing`` (R, n_features) bool;
    ``known`` (R, n_known) what is known ahead of time, as it stands at the row.
    """

    features: Tensor
    missing: Tensor
    known: Tensor


class Windows(NamedTuple):
    """k forecasts, each from t rows.

    ``rows`` (k, t) int, which of the `Rows`, oldest first; ``there`` (k, t) bool, false before the
    open; ``clocks`` (k, t, n_clocks) when each row was, seen from the decision; ``known``
    (k, 2 n_known) what is known at the decision and at the horizon's end.
    """

    rows: Tensor
    there: Tensor
    clocks: Tensor
    known: Tensor


class Forecast(NamedTuple):
    """Logits (k, 3) and attention weights (k, t + 1), the horizon's own step last."""

    logits: Tensor
    attention: Tensor


class TemporalFusion(nn.Module):
    """The network."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        size, drop = shape.size, shape.dropout
        self.row_known = nn.Linear(shape.n_known, size)
        self.row_context = GatedResidual(size, size, size, drop)
        self.select = VariableSelection(shape.n_features, size, drop, size)
        self.known = nn.Linear(2 * shape.n_known, size)
        self.contexts = nn.ModuleList(
            GatedResidual(size, size, size, drop)
            for _ in range(3)  # first state, first cell, enrichment (section 4.3)
        )
        self.encode = nn.LSTM(size + shape.n_clocks + 1, size, batch_first=True)
        self.decode = nn.LSTM(size, size, batch_first=True)
        self.after_lstm = GatedSkip(size, size, drop)
        self.ahead = GatedResidual(size, size, size, drop)
        self.enrich = GatedResidual(size, size, size, drop, size_context=size)
        self.attend = InterpretableAttention(size, shape.heads, drop)
        self.after_attention = GatedSkip(size, size, drop)
        self.feed = GatedResidual(size, size, size, drop)
        self.before_output = GatedSkip(size, size, drop)
        self.output = nn.Linear(size, CLASSES)

    def forward(self, rows: Rows, windows: Windows) -> Forecast:
        """Return the forecast of each window."""
        return self.forecast(self.selected(rows)[0], windows)

    def selected(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Return each row's selected features (R, size), and their weights (R, n_features)."""
        context = self.row_context(self.row_known(rows.known))
        summed, weights = self.select(rows.features, rows.missing, context)
        return summed, weights

    def forecast(self, selected: Tensor, windows: Windows) -> Forecast:
        """Return the forecast of each window from `selected` rows."""
        there = windows.there[:, :, None].to(selected.dtype)
        chosen = selected[windows.rows] * there
        known = self.known(windows.known)
        hidden, cell, for_enrichment = (make(known) for make in self.contexts)
        timed = torch.cat([chosen, windows.clocks, there], dim=-1)
        past, state = self.encode(timed, (hidden[None].contiguous(), cell[None].contiguous()))
        ahead = self.ahead(known)[:, None]
        future, _ = self.decode(ahead, state)
        inputs = torch.cat([chosen, ahead], dim=1)
        temporal = self.after_lstm(torch.cat([past, future], dim=1), inputs)
        enriched = self.enrich(temporal, for_enrichment[:, None])
        seen = torch.cat([windows.there, torch.ones_like(windows.there[:, :1])], dim=1)
        attended, attention = self.attend(enriched[:, -1], enriched, seen)
        fed = self.feed(self.after_attention(attended, enriched[:, -1]))
        logits: Tensor = self.output(self.before_output(fed, temporal[:, -1]))
        return Forecast(logits, attention)
