"""When in the day a policy chose what, as shapes of one small drawing a strategy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.market.panel import minute_of_day
from optiq.market.schema import AnyArray, BoolArray, FloatArray, IntArray, TimeArray
from optiq.run.choosing import DECISION_MINUTES

MARKS = (60, 30, 15, 5)
"""Minutes between two times on the axis: the widest that gives three."""
EDGE = 0.04
"""Nearer to the end than this share of the width, a time would stick out."""
GAP = 0.18


@dataclass(frozen=True, slots=True)
class Picture:
    """Bars over the times of the day; a window is 1 wide, all sessions are 1 high.

    ``possible`` and ``chosen`` have an SVG path a strategy, standing aside last: how high is the
    share of the sessions in which it was so. ``marks`` are times and where they lie, 0 to 1.
    """

    width: int
    sessions: int
    first: str
    last: str
    possible: list[str]
    chosen: list[str]
    marks: list[tuple[str, float]]


def drawn(ts: TimeArray, day: TimeArray, possible: BoolArray, chosen: BoolArray) -> Picture:
    """Return the picture of decisions at ``ts`` (n,) on ``day`` (n,); the two are (n, n_lines)."""
    window = (minute_of_day(ts) // DECISION_MINUTES).astype(np.int64)
    start, width = int(window.min()), int(np.ptp(window)) + 1
    place = window - start
    sessions = np.bincount(place, minlength=width)
    begin, end = (round(DECISION_MINUTES * at) for at in (start, start + width))
    return Picture(
        width=width,
        sessions=len(np.unique(day)),
        first=_clock(begin),
        last=_clock(end),
        possible=[_path(_shares(place, line, sessions), 0.0) for line in possible.T],
        chosen=[_path(_shares(place, line, sessions), GAP) for line in chosen.T],
        marks=_marks(begin, end),
    )


def _shares(place: IntArray, is_so: AnyArray, sessions: IntArray) -> FloatArray:
    """Return in which share of the sessions with a decision it was so, at each place."""
    counts = np.bincount(place, is_so, len(sessions))
    shares: FloatArray = counts / np.maximum(sessions, 1)
    return shares


def _path(shares: FloatArray, gap: float) -> str:
    """Return bars as an SVG path, y downwards from 1; without a gap equal neighbours are one bar.

    >>> _path(np.array([0.0, 1, 1, 0.5]), 0.0), _path(np.array([1.0]), 0.2)
    ('M1 1V0h2V1zM3 1V.5h1V1z', 'M.1 1V0h.8V1z')
    """
    edges = np.flatnonzero(np.diff(shares, prepend=np.nan) != 0)
    starts = edges if not gap else np.arange(len(shares))
    ends = np.append(starts[1:], len(shares))
    bars = zip(starts.tolist(), ends.tolist(), shares[starts].tolist(), strict=True)
    return "".join(
        f"M{_short(a + gap / 2)} 1V{_short(1 - share)}h{_short(b - a - gap)}V1z"
        for a, b, share in bars
        if share
    )


def _short(number: float) -> str:
    """Return a number in as few characters as its two decimals take."""
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return text.removeprefix("0") or "0"


def _marks(begin: int, end: int) -> list[tuple[str, float]]:
    """Return full times between two minutes of the day, and where they lie.

    >>> [time for time, _ in _marks(555, 930)], [time for time, _ in _marks(1065, 1125)]
    (['10:00', '11:00', '12:00', '13:00', '14:00', '15:00'], ['18:00', '18:15', '18:30'])
    """
    for step in MARKS:
        minutes = np.arange(-(-begin // step) * step, end, step)
        at = (minutes - begin) / (end - begin)
        inside = (at >= EDGE) & (at <= 1.0 - EDGE)
        if inside.sum() >= 3:
            break
    return [(_clock(m), x) for m, x in zip(minutes[inside], at[inside].tolist(), strict=True)]


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
