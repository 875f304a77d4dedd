"""One split: fit the transformer and all it is measured by, calibrate them, and ask the test rows.

Everything that is fitted (scaler, weights, when to stop, temperature, threshold) sees training and
calibration sessions only. What is said of the test rows comes out of the code that serves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from optiq.learn.direction.forecasters import (
    LOGISTIC,
    PRIOR,
    TRANSFORMER,
    TREES,
    Logistic,
    Prior,
    Transformer,
    Trees,
)
from optiq.learn.direction.labels import BUY, HOLD, SELL, LabelRule
from optiq.learn.direction.model import EVEN, DirectionModel, Forecaster, tempered
from optiq.learn.direction.sample import Sample, scaler_of
from optiq.learn.direction.windows import Inputs, Scaler, inputs_of, joined
from optiq.learn.splits import Fold
from optiq.market.schema import BoolArray, FloatArray, IntArray

COST_OF_A_CALL = 0.2
"""What a call must bring beyond being right as often as wrong, in widths of the barrier: spread,
charges and decay of the option that is bought."""
FEWEST_CALLS = 20
_THRESHOLDS = np.round(np.arange(0.34, 0.91, 0.02), 2)
_TEMPERATURES = (0.2, 100.0)

Fit = Callable[
    [Sequence[Inputs], Sequence[IntArray], Sequence[Inputs], Sequence[IntArray]], Transformer
]
"""Trains the transformer from training and held-back windows and labels, one a session."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one fold: the fitted models by name."""

    fold: Fold
    models: Mapping[str, DirectionModel]


def run_trial(
    sample: Sample, fold: Fold, rule: LabelRule, fit: Fit | None, names: Sequence[str] = ()
) -> Trial:
    """Fit and calibrate the models of a fold, all of them unless ``names`` says which.

    Without ``fit`` there is no transformer.
    """
    scaler = scaler_of(sample, fold.train)
    train, train_labels = windows_of(sample, fold.train, scaler, rule)
    held, held_labels = windows_of(sample, fold.calibrate, scaler, rule)
    y, held_y = np.concatenate(train_labels), np.concatenate(held_labels)
    makers: dict[str, Callable[[], Forecaster]] = {
        PRIOR: lambda: Prior.fitted(y),
        LOGISTIC: lambda: Logistic.fitted(joined(train), y),
        TREES: lambda: Trees.fitted(joined(train), y, joined(held), held_y),
    }
    if fit is not None:
        makers[TRANSFORMER] = lambda: fit(train, train_labels, held, held_labels)
    everything = joined(held)
    blank = DirectionModel(Prior.fitted(y), scaler, rule, base=base_of(y))
    models = {
        name: calibrated(replace(blank, forecaster=make()), everything, held_y)
        for name, make in makers.items()
        if not names or name in names
    }
    return Trial(fold, models)


def windows_of(
    sample: Sample, windows: IntArray, scaler: Scaler, rule: LabelRule
) -> tuple[list[Inputs], list[IntArray]]:
    """Return inputs and labels of some windows, one of each a session."""
    parts = [
        (inputs_of(day.seen, scaler, rows, rule.horizon_minutes), labels)
        for day, rows, labels in sample.by_day(windows)
    ]
    return [inputs for inputs, _ in parts], [labels for _, labels in parts]


def base_of(labels: IntArray) -> tuple[float, float, float]:
    """Return how often each class came in training, none quite never."""
    sell, hold, buy = Prior.fitted(labels).shares.tolist()
    return sell, hold, buy


def calibrated(model: DirectionModel, held: Inputs, labels: IntArray) -> DirectionModel:
    """Return a model whose temperature and threshold were chosen on calibration windows."""
    if model.forecaster.name == PRIOR:
        return model
    raw = model.forecaster.probabilities(held)
    warm = replace(model, temperature=best_temperature(raw, labels, model.base))
    return replace(
        warm, threshold=best_threshold(tempered(raw, warm.temperature, warm.base), labels)
    )


def best_temperature(
    probabilities: FloatArray, labels: IntArray, base: tuple[float, float, float] = EVEN
) -> float:
    """Return the temperature with the least log loss on calibration rows, one parameter."""
    from scipy.optimize import minimize_scalar

    def loss(log: float) -> float:
        return float(log_losses(tempered(probabilities, float(np.exp(log)), base), labels).mean())

    bounds = tuple(np.log(_TEMPERATURES))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def best_threshold(probabilities: FloatArray, labels: IntArray) -> float:
    """Return the least confidence to act on, that which earned most; NaN where none earned.

    A call that reaches its barrier first earns one width, the other barrier costs one, a hold
    neither; each call costs `COST_OF_A_CALL`.
    """
    side, confidence = called(probabilities)
    right = np.where(labels == side, 1.0, np.where(labels == HOLD, 0.0, -1.0)) - COST_OF_A_CALL
    best, chosen = 0.0, float("nan")
    for threshold in _THRESHOLDS.tolist():
        calls = acted(side, confidence, threshold)
        if calls.sum() >= FEWEST_CALLS and right[calls].sum() > best:
            best, chosen = float(right[calls].sum()), threshold
    return chosen


def called(probabilities: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the class that is most likely (k,), and the probability of buy or sell (k,)."""
    confidence = np.maximum(probabilities[:, SELL], probabilities[:, BUY])
    bought = probabilities[:, BUY] > probabilities[:, SELL]
    side = np.where(confidence > probabilities[:, HOLD], np.where(bought, BUY, SELL), HOLD)
    return side, confidence


def acted(side: IntArray, confidence: FloatArray, threshold: float) -> BoolArray:
    """Return which rows are a call to act on, as `quantum_edge` acts."""
    return np.asarray((side != HOLD) & (confidence >= threshold))


def log_losses(probabilities: FloatArray, labels: IntArray) -> FloatArray:
    """Return (k,) the negative logarithm of what was given to what came."""
    given = probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.maximum(given, 1e-12)))
