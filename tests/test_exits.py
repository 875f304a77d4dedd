"""The exit rule as a table: the first row that holds wins."""

from __future__ import annotations

import numpy as np
import pytest

from optiq.trade.book import ORDER
from optiq.trade.exits import Reason, exit_reason

NAN = np.nan


def order(**rule: float) -> np.void:
    record = np.zeros(1, ORDER)
    for name in ("target", "stop", "trail_after", "trail", "max_hold_minutes"):
        record[name] = rule.get(name, NAN)
    return record[0]


RULE = order(target=0.15, stop=0.10, trail_after=0.08, trail=0.05, max_hold_minutes=30)
OFF = order()


@pytest.mark.parametrize(
    ("gain", "peak", "held", "askable", "closing", "over", "rule", "reason"),
    [
        (-0.10, 0.00, 5, True, False, False, RULE, Reason.STOP),  # reached is enough
        (-0.0999, 0.00, 5, True, False, False, RULE, Reason.NONE),
        (-0.10 + 1e-12, 0.0, 5, True, False, False, RULE, Reason.STOP),  # rounding of a division
        (0.15, 0.15, 5, True, False, False, RULE, Reason.TARGET),
        (0.03, 0.08, 5, True, False, False, RULE, Reason.TRAIL),
        (0.04, 0.08, 5, True, False, False, RULE, Reason.NONE),  # only 4 of the 5 given back
        (0.01, 0.07, 5, True, False, False, RULE, Reason.NONE),  # trailing never began
        (0.00, 0.00, 30, True, False, False, RULE, Reason.TIME),
        (-0.40, 0.00, 30, True, True, True, RULE, Reason.STOP),  # stop outranks everything
        (0.00, 0.00, 30, True, True, True, RULE, Reason.TIME),
        (0.00, 0.00, 5, True, True, True, RULE, Reason.EOD),
        (0.00, 0.00, 5, True, False, True, RULE, Reason.RISK),
        (-0.40, 0.00, 5, False, False, False, RULE, Reason.NONE),  # no price may close it now
        (-0.40, 0.00, 5, False, True, False, RULE, Reason.EOD),  # but the clock may
        (-0.90, 3.00, 900, True, False, False, OFF, Reason.NONE),  # NaN switches a rule off
    ],
)
def test_the_first_reason_that_holds(gain, peak, held, askable, closing, over, rule, reason):
    assert exit_reason(gain, peak, held, rule, askable, closing, over) == reason
