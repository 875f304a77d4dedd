"""What the best possible forecast scores, from the chances that the truth of a market gives.

A class's chance given everything hidden is the best forecast there is, in accuracy, log loss, Brier
score and AUC alike; its scores need no labels, only the chances. Where the chances are exact
(``probability_up``) so are the scores, up to the sample of rows. Where they were counted over
futures, the count's own noise flatters: so one half of the futures decides and the other pays,
which errs the other way, and the truth lies between the two.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from optiq.errors import InputError
from optiq.market.schema import FloatArray


@dataclass(frozen=True, slots=True)
class BestScores:
    """Scores of the best forecast over ``rows`` rows.

    Attributes
    ----------
    accuracy, log_loss, brier
        Expected; ``brier`` is the mean square over all classes (halve it for two).
    auc
        Of two classes, NaN of more.
    prior_accuracy, prior_log_loss
        Of somebody who knows the classes' shares and nothing else.
    """

    rows: int
    accuracy: float
    log_loss: float
    brier: float
    auc: float
    prior_accuracy: float
    prior_log_loss: float


def best_scores(chances: FloatArray) -> tuple[BestScores, BestScores]:
    """Return bounds of the best scores, the modest first.

    ``chances`` is (n_rows, n_classes) where exact, and both bounds are then the same; or (2,
    n_rows, n_classes) from two independent halves of futures. Rows with NaN do not count.
    """
    halves = np.stack([chances, chances]) if chances.ndim == 2 else chances
    halves = halves[:, ~np.isnan(halves).any(axis=(0, 2))]
    if halves.shape[1] == 0:
        raise InputError("no chances to score", "ask about rows whose horizon ends in the session")
    if chances.ndim == 2:
        exact = _scores(halves[0], halves[0])
        return exact, exact
    mean = halves.mean(axis=0)
    crossed = [_scores(_smooth(halves[a]), halves[1 - a]) for a in (0, 1)]
    return _mean(crossed), _scores(mean, mean)


def up_or_not(probability: FloatArray) -> FloatArray:
    """Return (n_rows, 2) chances of not up and of up, as `best_scores` wants them."""
    chances: FloatArray = np.stack([1.0 - probability, probability], axis=-1)
    return chances


def _smooth(chances: FloatArray) -> FloatArray:
    """Return chances that never say never, as a count of none may."""
    smooth: FloatArray = 0.99 * chances + 0.01 * chances.mean(axis=0)
    return smooth


def _scores(said: FloatArray, due: FloatArray) -> BestScores:
    """Return what saying ``said`` is worth where ``due`` are the chances."""
    choice = said.argmax(axis=1)
    share = due.mean(axis=0)
    return BestScores(
        rows=len(due),
        accuracy=float(due[np.arange(len(due)), choice].mean()),
        log_loss=_log_loss(said, due),
        brier=float((due * (1.0 - 2.0 * said) + said**2).sum(axis=1).mean()),
        auc=_auc(said[:, 1], due[:, 1]) if due.shape[1] == 2 else np.nan,
        prior_accuracy=float(share.max()),
        prior_log_loss=_log_loss(share[None, :], due),
    )


def _log_loss(said: FloatArray, due: FloatArray) -> float:
    from scipy.special import xlogy

    return float(-xlogy(due, said).sum(axis=1).mean())


def _auc(said: FloatArray, due: FloatArray) -> float:
    """Return the chance that a row that turns out 1 was given more than one that turns out 0."""
    from sklearn.metrics import roc_auc_score

    label = np.repeat([1, 0], len(said))
    weight = np.concatenate([due, 1.0 - due])
    return float(roc_auc_score(label, np.tile(said, 2), sample_weight=weight))


def _mean(scores: list[BestScores]) -> BestScores:
    rows, *values = np.mean([astuple(score) for score in scores], axis=0).tolist()
    return BestScores(round(rows), *values)
