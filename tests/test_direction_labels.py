"""The triple barrier on the forward, by hand and by its promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from panels import panel

from optiq.learn.direction.labels import BUY, HOLD, SELL, LabelRule, Unlabelled, day_labels
from optiq.market.context import Context
from optiq.market.panel import Panel

STRIKES = [25_900.0, 26_000.0, 26_100.0]
RULE = LabelRule(horizon_minutes=10.0, barrier=1.0)
IV = 0.12
SHARE = IV**2 * (5 * 1440 + 370) / (365 * 1440) / (0.7 * 370 / 375 + 3)
"""What options pay for a session: up to Tuesday's close, 370 minutes of Thursday and three more."""
WIDTH = np.sqrt(SHARE * 0.7 / 375 * 10.0)
"""Of ten minutes, without the nights."""
UP, DOWN = 26_000.0 * (1.0 + 1.2 * WIDTH), 26_000.0 * (1.0 - 1.2 * WIDTH)
FLAT = 26_000.0
ALL = 16


def day(forwards: list[float], minutes: list[float] | None = None, **changes: object) -> Panel:
    """A morning from 09:20 whose parity forward is what is given, a row a minute."""
    if minutes is None:
        minutes = [560.0 + k for k in range(len(forwards))]
    strikes, rights = np.array(STRIKES * 2), np.repeat([1, -1], 3)
    level = np.array(forwards)[:, None]
    ltp = 200.0 + np.where(rights > 0, level - strikes, 0.0)
    return panel(minutes, strikes.tolist(), rights.tolist(), ltp, iv=IV, **changes)


def label_of(forwards: list[float], row: int = 0, **changes: object) -> int:
    return int(day_labels(day(forwards, **changes), Context(), RULE).label[row])


def rest(*first: float) -> list[float]:
    return [*first, *[FLAT] * (ALL - len(first))]


@pytest.mark.parametrize(
    ("forwards", "label", "known_at"),
    [
        (rest(), HOLD, 11),  # starts at row 1, ten minutes later is row 11
        (rest(FLAT, FLAT, UP), BUY, 2),
        (rest(FLAT, FLAT, DOWN), SELL, 2),
        (rest(FLAT, FLAT, DOWN, UP), SELL, 2),  # whichever comes first
        (rest(FLAT, FLAT, UP, DOWN), BUY, 2),
        ([FLAT] * 11 + [UP] * 5, BUY, 11),  # at the horizon's end barriers come before time
        ([FLAT] * 12 + [UP] * 4, HOLD, 11),  # a minute later is too late
        ([UP, *[FLAT] * 15], HOLD, 11),  # the deciding row's level is not the start's
        ([FLAT, UP, *[UP] * 14], HOLD, 11),  # what moves before the start is missed
        ([FLAT, UP, FLAT, *[UP] * 13], SELL, 2),  # from the start it fell
    ],
)
def test_what_comes_first(forwards: list[float], label: int, known_at: int) -> None:
    morning = day(forwards)
    found = day_labels(morning, Context(), RULE)
    assert found.width[0] == pytest.approx(WIDTH, rel=1e-12)
    assert (found.label[0], found.end[0]) == (label, morning.ts[known_at])


def test_a_late_quote_starts_later() -> None:
    """Known 90 seconds after its time, the decision of row 0 can only fill on row 2."""
    morning = day(rest(FLAT, FLAT, UP))
    assert day_labels(morning, Context(), RULE).label[0] == BUY
    known = morning.ts.copy()
    known[0] += np.timedelta64(90, "s")
    found = day_labels(replace(morning, known=known), Context(), RULE)
    assert found.label[0] == SELL  # started on the peak of row 2


def test_without_latency_it_starts_on_its_own_row() -> None:
    at_once = replace(RULE, latency_s=0.0)
    assert day_labels(day(rest(FLAT, UP)), Context(), at_once).label[0] == BUY


def test_monitor_rows_are_not_seen() -> None:
    chain = [k != 2 for k in range(ALL)]
    assert label_of(rest(FLAT, FLAT, UP), chain=chain) == HOLD


def test_an_unquoted_row_decides_nothing() -> None:
    assert label_of(rest(FLAT, FLAT, np.nan, UP)) == BUY


@pytest.mark.parametrize(
    ("minutes", "why"),
    [
        ([560, 561, 562, 563, 571.0], Unlabelled.LABELLED),
        ([560, 561, 562, 563, 581.0], Unlabelled.LABELLED),  # ten minutes after the end at most
        ([560, 561, 562, 563, 581.5], Unlabelled.GAP),  # across a hole nothing is said
        ([560, 561, 562, 563, 570.5], Unlabelled.CLOSED),  # the rows end before the horizon
        ([560, 570, 571, 575, 581], Unlabelled.LABELLED),
        ([560, 570.5, 571, 575, 582], Unlabelled.NO_START),
    ],
)
def test_holes(minutes: list[float], why: Unlabelled) -> None:
    morning = day([FLAT] * len(minutes), minutes=minutes)
    assert day_labels(morning, Context(), RULE).why[0] == why


@pytest.mark.parametrize(("first", "labelled"), [(908.0, True), (910.0, False)])
def test_no_horizon_reaches_into_the_square_off(first: float, labelled: bool) -> None:
    """From 15:20 on positions are squared off; a barrier met before does not make a label."""
    minutes = [first + k for k in range(20)]
    evening = day(rest(FLAT, FLAT, UP) + [UP] * 4, minutes=minutes)
    assert (day_labels(evening, Context(), RULE).label[0] >= 0) == labelled


def test_without_a_level_or_a_volatility_nothing_is_said_and_all_is_counted() -> None:
    forwards = rest(np.nan)
    found = day_labels(day(forwards), Context(), RULE)
    assert found.why[0] == Unlabelled.NO_LEVEL
    assert np.isnat(found.end[0])
    blind = replace(day(rest()), fields={**day(rest()).fields, "iv": np.full((ALL, 6), np.nan)})
    found = day_labels(blind, Context(), RULE)
    assert found.why[0] == Unlabelled.NO_VOLATILITY
    assert sum(found.counts().values()) == (found.label < 0).sum()


def test_the_barrier_knows_only_rows_so_far() -> None:
    """Cut anywhere, widths are the same, and labels that were known by then are too."""
    rng = np.random.default_rng(2)
    forwards = FLAT * np.exp(np.cumsum(rng.normal(0.0, 2e-4, 90)))
    morning = day(forwards.tolist())
    whole = day_labels(morning, Context(), RULE)
    assert {SELL, HOLD, BUY} <= set(whole.label.tolist())
    for cut in range(1, 90):
        early = day_labels(morning.until(cut), Context(), RULE)
        assert np.array_equal(early.width, whole.width[:cut], equal_nan=True)
        said = early.label >= 0
        assert (early.label[said] == whole.label[:cut][said]).all()
