"""A measured figure cannot come from rows that were fitted on, however it is asked for."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optiq.errors import DamagedError, InputError
from optiq.learn.measured import Evidence, Measured, in_words, pooled
from optiq.learn.validate import Interval

OPEN = np.datetime64("2025-11-20T03:45", "us")


def evidence(day: str = "2025-11-20", fitted: str = "2025-11-19T10:00", **other) -> Evidence:
    values = {
        "split": "walk-forward, 4 folds",
        "rows": 5_400,
        "sessions": 1,
        "first": dt.date.fromisoformat(day),
        "last": dt.date.fromisoformat(day),
        "fitted_until": np.datetime64(fitted),
        "tested_from": np.datetime64(f"{day}T03:45"),
        "data_sha256": "d" * 64,
        "model_sha256": "e" * 64,
        "code": "f" * 40,
    }
    return Evidence(**values | other)


def measured(low: float = 0.49, high: float = 0.55) -> Measured:
    return Measured("AUC", Interval(0.52, low, high, 1), evidence())


@given(
    fitted=st.integers(-100_000, 100_000),
    tested=st.integers(0, 374),
)
def test_evidence_exists_exactly_when_the_test_came_after_the_fit(fitted, tested):
    until, start = OPEN + np.timedelta64(fitted, "m"), OPEN + np.timedelta64(tested, "m")
    if start > until:
        assert evidence(fitted_until=until, tested_from=start).fitted_until == until
    else:
        with pytest.raises(InputError, match="but fitted until"):
            evidence(fitted_until=until, tested_from=start)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fitted_until": np.datetime64("NaT")},
        {"tested_from": np.datetime64("NaT")},
        {"rows": 0},
        {"sessions": 0},
        {"sessions": 2},  # in one day
        {"tested_from": np.datetime64("2025-11-21T03:45")},  # after the last session
        {"tested_from": np.datetime64("2025-11-20T19:00")},  # the 21st in India
        {"data_sha256": ""},
        {"model_sha256": ""},
        {"code": ""},
    ],
)
def test_evidence_that_does_not_hold_together_is_refused(wrong):
    with pytest.raises(InputError, match="no evidence"):
        evidence(**wrong)


def test_good_evidence_cannot_be_turned_into_bad():
    with pytest.raises(InputError):
        replace(evidence(), fitted_until=OPEN)
    written = measured().to_json()
    written["evidence"]["fitted_until"] = "2025-11-20T03:45:00Z"
    with pytest.raises(DamagedError, match="fitted until"):
        Measured.from_json(written)


def test_an_interval_over_more_sessions_than_were_tested_is_refused():
    with pytest.raises(InputError, match="over 40 sessions, of 1 tested"):
        Measured("AUC", Interval(0.52, 0.5, 0.54, 40), evidence())


@pytest.mark.parametrize("bounds", [(0.49, 0.55), (math.nan, math.nan)])
def test_a_figure_survives_json(bounds):
    one = measured(*bounds)
    back = Measured.from_json(json.loads(json.dumps(one.to_json(), allow_nan=False)))
    assert back.to_json() == one.to_json()
    assert back.evidence == one.evidence


@pytest.mark.parametrize("lost", ["metric", "value", "evidence", "note"])
def test_a_figure_that_lost_something_is_damaged(lost):
    written = measured().to_json()
    del written[lost]
    with pytest.raises(DamagedError):
        Measured.from_json(written)


def test_no_figure_no_number():
    assert in_words("accuracy", None) == "accuracy: not measured out of sample"
    assert in_words("AUC", measured()) == "AUC: 0.520 (95 %: 0.490 to 0.550)"
    alone = replace(measured(), interval=Interval(0.6, math.nan, math.nan, 1, "1 session"))
    assert in_words("AUC", alone) == "AUC: 0.600 (1 session)"


def test_pooled_folds_keep_the_moment_nearest_to_overlapping():
    folds = [
        evidence("2025-11-18", "2025-11-14T09:00"),
        evidence("2025-11-20", "2025-11-19T10:00", model_sha256="a" * 64),
    ]
    together = pooled(folds, "2 folds")
    assert (together.rows, together.sessions) == (10_800, 2)
    assert together.fitted_until == np.datetime64("2025-11-19T10:00")
    assert together.data_sha256 == "d" * 64
    assert together.model_sha256 not in {"e" * 64, "a" * 64}


def test_a_session_tested_twice_is_refused():
    with pytest.raises(InputError, match="two folds tested 2025-11-20"):
        pooled([evidence(), evidence()], "twice")
