"""A figure that was measured out of sample, and the proof that it was.

Tables and model cards print accuracy, precision, win rate, Sharpe, AUC and their kin from
`Measured` alone. There is no way to make one from rows that a fitted thing has seen.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optiq.errors import DamagedError, InputError
from optiq.learn.intervals import Interval
from optiq.market.schema import IST_OFFSET

NOT_MEASURED = "not measured out of sample"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a figure was measured; refused unless every tested row came after all that was fitted.

    ``fitted_until`` is the latest moment anything fitted has seen: the last label end of training
    and calibration, with scalers, bins and chosen settings. ``tested_from`` is the moment of the
    first tested row. Both are UTC; ``first`` and ``last`` are sessions (Indian dates). The three
    hashes name the data, the model and the code: without them a figure is nobody's.
    """

    split: str
    rows: int
    sessions: int
    first: dt.date
    last: dt.date
    fitted_until: np.datetime64
    tested_from: np.datetime64
    data_sha256: str
    model_sha256: str
    code: str

    def __post_init__(self) -> None:
        for name in ("fitted_until", "tested_from"):
            object.__setattr__(self, name, getattr(self, name).astype("datetime64[us]"))
        fault = self._fault()
        if fault:
            raise InputError(f"no evidence: {fault}", "measure on sessions that nothing was fit on")

    def _fault(self) -> str:
        span = (self.last - self.first).days + 1
        day: object = (self.tested_from + IST_OFFSET).astype("datetime64[D]").item()
        faults = (
            (self.rows < 1 or self.sessions < 1, f"{self.rows} rows of {self.sessions} sessions"),
            (span < self.sessions, f"{self.sessions} sessions in {span} days"),
            (
                np.isnat(self.fitted_until) or np.isnat(self.tested_from),
                "when it was fitted or tested is not known",
            ),
            (
                not self.tested_from > self.fitted_until,
                f"tested from {self.tested_from}, but fitted until {self.fitted_until}",
            ),
            (
                not isinstance(day, dt.date) or not self.first <= day <= self.last,
                f"tested from {self.tested_from}, outside {self.first} to {self.last}",
            ),
            (
                not all((self.split, self.data_sha256, self.model_sha256, self.code)),
                "the split, or the hash of the data, the model or the code, is missing",
            ),
        )
        return next((words for is_wrong, words in faults if is_wrong), "")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; times are UTC in ISO form."""
        return {
            "split": self.split,
            "rows": self.rows,
            "sessions": self.sessions,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "fitted_until": f"{self.fitted_until}Z",
            "tested_from": f"{self.tested_from}Z",
            "data_sha256": self.data_sha256,
            "model_sha256": self.model_sha256,
            "code": self.code,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Evidence:
        """Read what ``to_json`` wrote; `DamagedError` for anything else, in-sample among it."""
        try:
            return cls(
                **{
                    **value,
                    "first": dt.date.fromisoformat(value["first"]),
                    "last": dt.date.fromisoformat(value["last"]),
                    "fitted_until": np.datetime64(value["fitted_until"].removesuffix("Z")),
                    "tested_from": np.datetime64(value["tested_from"].removesuffix("Z")),
                }
            )
        except (KeyError, TypeError, ValueError, AttributeError, InputError) as reason:
            raise DamagedError(f"a figure's evidence is not what was written: {reason}") from reason


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure measured out of sample: what it is, how sure, and on what.

    ``metric`` is written as it is shown, in lower case: ``AUC``, ``win rate``, ``Brier``.
    """

    metric: str
    interval: Interval
    evidence: Evidence

    def __post_init__(self) -> None:
        if not self.metric:
            raise InputError("a measured figure without a name")
        if self.interval.sessions > self.evidence.sessions:
            raise InputError(
                f"{self.metric}: an interval over {self.interval.sessions} sessions, "
                f"of {self.evidence.sessions} tested"
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; a NaN is null."""
        return {
            "metric": self.metric,
            "value": _plain(self.interval.value),
            "low": _plain(self.interval.low),
            "high": _plain(self.interval.high),
            "level": self.interval.level,
            "sessions": self.interval.sessions,
            "note": self.interval.note,
            "evidence": self.evidence.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Measured:
        """Read what ``to_json`` wrote; `DamagedError` for anything else."""
        try:
            bounds = Interval(
                _number(value["value"]),
                _number(value["low"]),
                _number(value["high"]),
                sessions=int(value["sessions"]),
                note=str(value["note"]),
                level=float(value["level"]),
            )
            return cls(value["metric"], bounds, Evidence.from_json(value["evidence"]))
        except (KeyError, TypeError, ValueError, InputError) as reason:
            raise DamagedError(f"a measured figure is not what was written: {reason}") from reason


def pooled(parts: Sequence[Evidence], split: str) -> Evidence:
    """Return the evidence of one figure over the test rows of several folds.

    Each fold was tested after its own fit; the two moments kept are those of the fold that came
    nearest to overlapping. Folds that tested the same session are refused: its rows would count
    twice.
    """
    if not parts:
        raise InputError("no evidence: no folds")
    folds = sorted(parts, key=lambda part: part.first)
    for one, other in itertools.pairwise(folds):
        if other.first <= one.last:
            raise InputError(f"no evidence: two folds tested {other.first}")
    nearest = min(folds, key=lambda part: part.tested_from - part.fitted_until)
    return Evidence(
        split=split,
        rows=sum(part.rows for part in folds),
        sessions=sum(part.sessions for part in folds),
        first=folds[0].first,
        last=folds[-1].last,
        fitted_until=nearest.fitted_until,
        tested_from=nearest.tested_from,
        data_sha256=_one_or_all([part.data_sha256 for part in folds]),
        model_sha256=_one_or_all([part.model_sha256 for part in folds]),
        code=_one_or_all([part.code for part in folds]),
    )


def _one_or_all(hashes: Sequence[str]) -> str:
    """Return the hash they share, else the hash of all of them in order."""
    if len(set(hashes)) == 1:
        return hashes[0]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def in_words(metric: str, measured: Measured | None, decimals: int = 3) -> str:
    """Return one figure as a line of text; without a `Measured` there is no number in it.

    >>> in_words("accuracy", None)
    'accuracy: not measured out of sample'
    """
    if measured is None or math.isnan(measured.interval.value):
        note = "" if measured is None else f" ({measured.interval.note})"
        return f"{metric}: {NOT_MEASURED}{note}"
    bounds = bounds_in_words(measured.interval, decimals)
    return f"{metric}: {measured.interval.value:.{decimals}f} ({bounds})"


def bounds_in_words(interval: Interval, decimals: int = 3) -> str:
    """Return the bounds as text, or the reason why there are none.

    >>> bounds_in_words(Interval(0.5, 0.4512, 0.5488, 40))
    '95 %: 0.451 to 0.549'
    >>> bounds_in_words(Interval(0.5, math.nan, math.nan, 1, "1 session: no interval"))
    '1 session: no interval'
    """
    if not interval.is_known:
        return interval.note
    low, high = (f"{bound:.{decimals}f}" for bound in (interval.low, interval.high))
    return f"{100 * interval.level:g} %: {low} to {high}"


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
