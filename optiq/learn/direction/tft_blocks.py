"""The building blocks of a temporal fusion transformer, equation by equation.

B. Lim, S. O. Arik, N. Loeff, T. Pfister, *Temporal Fusion Transformers for Interpretable
Multi-horizon Time Series Forecasting*, https://arxiv.org/abs/1912.09363 (version 3); the numbers
of the equations are that paper's. Dropout stands where the paper puts it: before the gate.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as functions


class GatedSkip(nn.Module):
    """``LayerNorm(skip + GLU(x))``, with ``GLU(x) = sigmoid(W4 x + b4) * (W5 x + b5)`` (eq. 5).

    Takes x (..., ``size``) and skip (..., ``size_out``), returns (..., ``size_out``).
    """

    def __init__(self, size: int, size_out: int, dropout: float) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.gate = nn.Linear(size, size_out)
        self.value = nn.Linear(size, size_out)
        self.norm = nn.LayerNorm(size_out)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Let through as much of ``x`` as the gate opens, beside ``skip``."""
        x = self.drop(x)
        gated = torch.sigmoid(self.gate(x)) * self.value(x)
        normed: Tensor = self.norm(skip + gated)
        return normed


class GatedResidual(nn.Module):
    """The gated residual network: ``LayerNorm(a + GLU(W1 ELU(W2 a + W3 c + b2) + b1))`` (2 to 4).

    Takes a (..., ``size``) and, where ``size_context`` is given, c that broadcasts to it; returns
    (..., ``size_out``). Where the two sizes differ ``a`` is mapped linearly on its way past.
    """

    def __init__(
        self, size: int, hidden: int, size_out: int, dropout: float, size_context: int = 0
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(size, hidden)
        self.context = nn.Linear(size_context, hidden, bias=False) if size_context else None
        self.leave = nn.Linear(hidden, hidden)
        self.past = nn.Linear(size, size_out) if size != size_out else None
        self.skip = GatedSkip(hidden, size_out, dropout)

    def forward(self, a: Tensor, c: Tensor | None = None) -> Tensor:
        """Return what the network makes of ``a`` in context ``c``."""
        entered = self.enter(a)
        if self.context is not None and c is not None:
            entered = entered + self.context(c)
        left = self.leave(functions.elu(entered))
        gated: Tensor = self.skip(left, a if self.past is None else self.past(a))
        return gated


class VariableNetworks(nn.Module):
    """One gated residual network for each of ``n`` variables, all of them at once.

    Each has weights of its own, shared over time (eq. 7). Takes and returns (``n``, rows,
    ``size``): a batched product does what ``einsum("nrd,nde->nre")`` would.
    """

    def __init__(self, n: int, size: int, dropout: float) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        for name in ("enter", "leave", "gate", "value"):
            bound = 1.0 / math.sqrt(size)
            weight = torch.empty(n, size, size).uniform_(-bound, bound)
            bias = torch.empty(n, 1, size).uniform_(-bound, bound)
            self.register_parameter(f"{name}_weight", nn.Parameter(weight))
            self.register_parameter(f"{name}_bias", nn.Parameter(bias))
        self.norm_weight = nn.Parameter(torch.ones(n, 1, size))
        self.norm_bias = nn.Parameter(torch.zeros(n, 1, size))

    def forward(self, x: Tensor) -> Tensor:
        """Return every variable's network of its own embedding."""
        left = self._linear("leave", functions.elu(self._linear("enter", x)))
        left = self.drop(left)
        gated = torch.sigmoid(self._linear("gate", left)) * self._linear("value", left)
        normed = functions.layer_norm(x + gated, x.shape[-1:])
        return normed * self.norm_weight + self.norm_bias

    def _linear(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.get_parameter(f"{name}_weight"), self.get_parameter(f"{name}_bias")
        return torch.baddbmm(bias, x, weight)


class VariableSelection(nn.Module):
    """Weighs ``n`` variables by what they are worth now, and adds them up (eq. 6 to 8).

    Takes numbers (rows, ``n``), which flags of them are ``missing``, and a context (rows,
    ``size_context``); returns the sum (rows, ``size``) and the weights (rows, ``n``), which are
    positive and add up to 1. A number x becomes the vector x w + b of its variable; one that is
    missing becomes another learnt vector of its variable.
    """

    def __init__(self, n: int, size: int, dropout: float, size_context: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(n, 1, size) / math.sqrt(size))
        self.shift = nn.Parameter(torch.randn(n, 1, size) / math.sqrt(size))
        self.absent = nn.Parameter(torch.randn(n, 1, size) / math.sqrt(size))
        self.weigh = GatedResidual(n * size, size, n, dropout, size_context)
        self.each = VariableNetworks(n, size, dropout)

    def forward(self, x: Tensor, missing: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighed sum and the weights."""
        embedded = self.embedded(x, missing)
        flat = embedded.transpose(0, 1).flatten(1)
        weights = torch.softmax(self.weigh(flat, context), dim=-1)
        summed = (weights.T[:, :, None] * self.each(embedded)).sum(dim=0)
        return summed, weights

    def embedded(self, x: Tensor, missing: Tensor) -> Tensor:
        """Return each number as its variable's vector, (``n``, rows, ``size``)."""
        known = x.T[:, :, None] * self.scale + self.shift
        return torch.where(missing.T[:, :, None], self.absent, known)


class InterpretableAttention(nn.Module):
    """Multi-head attention whose heads share one value, so that its weights mean one thing.

    ``H = 1/m sum_h softmax(Q W_Q^h (K W_K^h)^T / sqrt(d_attn)) V W_V``, then ``H W_H`` (13 to 16).
    """

    def __init__(self, size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.width = heads, size // heads
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, self.width)
        self.out = nn.Linear(self.width, size, bias=False)
        self.drop = nn.Dropout(dropout)

    def forward(self, query: Tensor, rows: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Attend from ``query`` (k, size) to ``rows`` (k, t, size) where ``there`` (k, t) is true.

        Returns (k, size) and the weights (k, t), the mean over the heads, which add up to 1.
        """
        asked = self.query(query).unflatten(-1, (self.heads, self.width))
        keys = self.key(rows).unflatten(-1, (self.heads, self.width))
        fit = torch.einsum("khw,kthw->kht", asked, keys) / math.sqrt(self.width)
        fit = fit.masked_fill(~there[:, None, :], -math.inf)
        weights = self.drop(torch.softmax(fit, dim=-1)).mean(dim=1)
        attended = torch.einsum("kt,ktw->kw", weights, self.value(rows))
        summed: Tensor = self.out(attended)
        return summed, weights
