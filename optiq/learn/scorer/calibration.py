"""From a margin of the trees to a chance that means what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from optiq.errors import DamagedError
from optiq.market.schema import BoolArray, FloatArray

ENOUGH_LABELS, ENOUGH_SESSIONS = 1_000, 20
"""Isotonic calibration overfits below either: https://scikit-learn.org, "Probability calibration".

Sessions count as well because the labels of one share its path.
"""

Kind = Literal["sigmoid", "isotonic"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Chances by margin.

    Attributes
    ----------
    kind
        ``sigmoid``: ``1 / (1 + exp(-(slope * margin + intercept)))`` with ``x = (slope,)`` and
        ``y = (intercept,)``. ``isotonic``: piecewise linear through the points ``x``, ``y``.
    x, y
        Ascending margins and chances of the points, or slope and intercept.
    """

    kind: Kind
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __call__(self, margin: FloatArray) -> FloatArray:
        """Return (n,) chances of margins (n,), each on its own: the same bits in any company."""
        if self.kind == "isotonic":
            chances: FloatArray = np.interp(margin, self.x, self.y)
            return chances
        from scipy.special import expit  # one value at a time, unlike numpy's exp

        sigmoid: FloatArray = expit(self.x[0] * margin + self.y[0])
        return sigmoid

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {"kind": self.kind, "x": list(self.x), "y": list(self.y)}

    @classmethod
    def from_json(cls, value: Any) -> Calibration:
        """Read what ``to_json`` wrote; `DamagedError` for anything else."""
        try:
            x, y = (tuple(float(one) for one in value[name]) for name in ("x", "y"))
            read = cls(value["kind"], x, y)
        except (KeyError, TypeError, ValueError) as reason:
            raise _damaged(str(reason)) from reason
        if not read._is_whole():
            raise _damaged(f"{len(x)} points of kind {read.kind!r}")
        return read

    def _is_whole(self) -> bool:
        finite = bool(np.isfinite([*self.x, *self.y]).all()) and len(self.x) == len(self.y)
        if self.kind == "sigmoid":
            return finite and len(self.x) == 1
        rising = bool((np.diff(self.x) > 0).all() and (np.diff(self.y) >= 0).all())
        within = all(0 <= chance <= 1 for chance in self.y)
        return self.kind == "isotonic" and finite and bool(self.x) and rising and within


AS_IT_IS = Calibration("sigmoid", (1.0,), (0.0,))
"""No calibration: margins are log odds."""


def calibrated(margin: FloatArray, won: BoolArray, n_sessions: int) -> Calibration:
    """Fit the chances to rows the trees were not grown on.

    Isotonic with at least 1,000 labels of at least 20 sessions, else a sigmoid (Platt), whose two
    numbers few sessions can bear. Where all won or all lost, as may be in an hour of one session,
    the margins are taken for what they are: log odds. ``margin`` and ``won`` are (n,).
    """
    if won.all() or not won.any():
        return AS_IT_IS
    if len(won) >= ENOUGH_LABELS and n_sessions >= ENOUGH_SESSIONS:
        return _isotonic(margin, won)
    return _sigmoid(margin, won)


def _sigmoid(margin: FloatArray, won: BoolArray) -> Calibration:
    from sklearn.linear_model import LogisticRegression

    if np.ptp(margin) > 0.0:
        fitted = LogisticRegression(C=np.inf).fit(margin[:, None], won)
        if fitted.coef_[0, 0] > 0.0:
            return Calibration(
                "sigmoid", (float(fitted.coef_[0, 0]),), (float(fitted.intercept_[0]),)
            )
    share = float(won.mean())  # trees that say nothing, or the contrary: only the base rate is left
    return Calibration("sigmoid", (0.0,), (float(np.log(share / (1.0 - share))),))


def _isotonic(margin: FloatArray, won: BoolArray) -> Calibration:
    from sklearn.isotonic import IsotonicRegression

    least = 1.0 / (len(won) + 2.0)  # never sure: a chance of 0 that comes true has no log loss
    fitted = IsotonicRegression(y_min=least, y_max=1.0 - least, out_of_bounds="clip")
    fitted.fit(margin, won)
    return Calibration(
        "isotonic",
        tuple(float(x) for x in fitted.X_thresholds_),
        tuple(float(y) for y in fitted.y_thresholds_),
    )


def _damaged(what: str) -> DamagedError:
    return DamagedError(f"a scorer's calibration is not what was written: {what}", "train it anew")
