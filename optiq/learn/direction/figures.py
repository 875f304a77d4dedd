"""What forecasts were worth on sessions that nothing was fitted on: every figure with its interval.

All figures resample sessions, never rows, and come as `Measured`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from optiq.learn.direction.labels import BUY, HOLD, SELL
from optiq.learn.direction.trial import acted, called, log_losses
from optiq.learn.intervals import Interval, interval, mean_interval
from optiq.learn.measured import Evidence, Measured
from optiq.market.schema import BoolArray, FloatArray, IntArray

CONFIDENCES = (0.4, 0.5, 0.6)
_BINS = 10
ACCURACY, BALANCED, LOG_LOSS = "accuracy", "balanced accuracy", "log loss"
BRIER, CALIBRATION, PROFIT = "Brier", "calibration error", "net P&L a session"
SAVED = "log loss saved against {}"
KNOWS_SIDE = "log loss saved by knowing the side"


@dataclass(frozen=True, slots=True)
class Said:
    """What one model said of the test windows, and what came.

    ``session`` (n,) numbers from 0 without holes; ``label`` (n,); ``probabilities`` (n, 3);
    ``profit`` (n_sessions,) rupees net of trading it, NaN where it was not traded;
    ``sides`` (n, 2) how often sell and buy came in the training sessions of each window.
    """

    session: IntArray
    label: IntArray
    probabilities: FloatArray
    profit: FloatArray
    sides: FloatArray

    @property
    def losses(self) -> FloatArray:
        """The log loss of each window, (n,)."""
        return log_losses(self.probabilities, self.label)

    @property
    def blind_losses(self) -> FloatArray:
        """The same had it kept its hold and split the rest as training sessions did, (n,)."""
        share = self.sides / self.sides.sum(axis=1, keepdims=True)
        blind = self.probabilities.copy()
        blind[:, [SELL, BUY]] = share * (1.0 - self.probabilities[:, [HOLD]])
        return log_losses(blind, self.label)

    def mean(self, values: FloatArray | BoolArray, of: BoolArray | None = None) -> Interval:
        """Return the mean over windows, or some of them, with its interval over sessions."""
        used = np.ones(len(self.label), np.bool_) if of is None else of
        n = int(self.session.max()) + 1
        sums = np.bincount(self.session[used], np.asarray(values, np.float64)[used], n)
        return mean_interval(sums, np.bincount(self.session[used], minlength=n))

    def ratio(self, parts: FloatArray, statistic: Callable[[FloatArray], FloatArray]) -> Interval:
        """Return a statistic of summed parts: of (k, m) sums from (n, m) values a window."""
        n = int(self.session.max()) + 1
        sums = np.column_stack([np.bincount(self.session, part, n) for part in parts.T])
        return interval(lambda times: statistic(np.asarray(times @ sums)), n)


def figures_of(
    said: Said, evidence: Evidence, others: Mapping[str, Said] | None = None
) -> list[Measured]:
    """Return every figure of one model; ``others`` by name are those it is compared with."""
    side, confidence = called(said.probabilities)
    chosen = said.probabilities.argmax(axis=1)
    found: dict[str, Interval] = {
        ACCURACY: said.mean(chosen == said.label),
        BALANCED: said.ratio(_recalls(said.label, chosen), _balanced),
        LOG_LOSS: said.mean(said.losses),
        BRIER: said.mean(((said.probabilities - np.eye(3)[said.label]) ** 2).sum(axis=1)),
        CALIBRATION: said.ratio(_reliability(said.probabilities, said.label), _expected_error),
    }
    for least in CONFIDENCES:
        calls = acted(side, confidence, least)
        found[f"accuracy at confidence {least:g}"] = said.mean(side == said.label, calls)
        found[f"coverage at confidence {least:g}"] = said.mean(calls)
    traded = ~np.isnan(said.profit)
    if traded.any():
        found[PROFIT] = mean_interval(np.where(traded, said.profit, 0.0), traded)
    for name, other in (others or {}).items():
        found[SAVED.format(name)] = said.mean(other.losses - said.losses)
    found[KNOWS_SIDE] = said.mean(said.blind_losses - said.losses)
    return [Measured(name, bounds, evidence) for name, bounds in found.items()]


def named(figures: list[Measured], metric: str) -> Measured | None:
    """Return the figure of a name, None without it."""
    return next((figure for figure in figures if figure.metric == metric), None)


def is_above_zero(figure: Measured | None) -> bool:
    """Whether a figure's lower bound is known and above zero."""
    return figure is not None and figure.interval.is_known and figure.interval.low > 0


def _recalls(label: IntArray, chosen: IntArray) -> FloatArray:
    """Return (n, 6): which class it was, and which it was and was taken for."""
    of = np.eye(3)[label]
    return np.hstack([of, of * (chosen == label)[:, None]])


def _balanced(sums: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = sums[:, 3:] / sums[:, :3]
    known = ~np.isnan(recall)
    return np.asarray(np.where(known, recall, 0.0).sum(axis=1) / known.sum(axis=1))


def _reliability(probabilities: FloatArray, label: IntArray) -> FloatArray:
    """Return (n, 1 + 10): one, and by how much each bin of top confidence was too low."""
    top, chosen = probabilities.max(axis=1), probabilities.argmax(axis=1)
    where = np.minimum((top * _BINS).astype(np.int64), _BINS - 1)
    short = (chosen == label) - top
    return np.hstack([np.ones((len(top), 1)), np.eye(_BINS)[where] * short[:, None]])


def _expected_error(sums: FloatArray) -> FloatArray:
    return np.asarray(np.abs(sums[:, 1:]).sum(axis=1) / sums[:, 0])
