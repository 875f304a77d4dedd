"""The old live system's fault, acted again: opened, restarted and closed within one interval.

It forgot the position, found it again at the close, and booked the price it had entered at.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from panels import panel
from paper_days import plan_of

from optiq.market.chain_row import rows_of
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.run.backtest import Settings
from optiq.run.parity import prove
from optiq.run.sessions import Ensemble, opened, read_session
from optiq.run.user_strategy import find_all
from optiq.trade.fills import WalkSettings
from optiq.trade.ledger import Columns
from optiq.trade.limits import Limits

NAN = np.nan
LATE = 15 * 60 + 28.0
"""Two minutes before the close, in minutes of the Indian day."""


def day(seconds: list[float], bid: list[float], ask: list[float]) -> Panel:
    """A chain row, then looks at what is held; the second contract is never bought."""
    ours, theirs = np.array([bid, ask]), np.full((2, len(bid)), 20.0)
    books = np.stack([ours, theirs], axis=2)
    gamma, delta = ([[value, NAN]] + [[NAN, NAN]] * (len(bid) - 1) for value in (0.002, 0.5))
    return panel(
        [LATE + second / 60.0 for second in seconds],
        [26_000.0, 26_500.0],
        [1, 1],
        books.mean(axis=0),
        bid=books[0],
        ask=books[1],
        chain=[True] + [False] * (len(bid) - 1),
        gamma=gamma,
        delta=delta,
    )


def traded(folder: Path, panel: Panel) -> Columns:
    """The trades of a session that is stopped and started again after every row."""
    limits = Limits(first_entry_minutes=0.0, last_entry_minutes=0.0)
    settings = Settings(limits=limits, walk=WalkSettings(square_off_minutes=1.0))
    who = Ensemble(settings, find_all(["gamma_scalping"]))
    plan = plan_of(panel, Context(), who)
    for number, row in enumerate(rows_of(panel)):
        with opened(folder, plan, who) as session:
            assert session.day.rows.n_rows == number
            session.take(row)
    with opened(folder, plan, who) as session:
        session.finish()
        assert prove(read_session(folder), who)["mismatches"] == 0
        return session.day.result().trades()


CASES = {
    # decided 15:28:00, bought 15:28:02 at the ask; 12 % down at :04, sold at the bid of :06
    "stopped within an interval": (
        ([0, 2, 4, 6], [99.9, 100.0, 88.0, 87.0], [100.0, 100.1, 88.1, 87.1]),
        ("STOP", 100.10, 87.00, False, (1, 2, 3)),
    ),
    # bought 15:28:58; a minute is left at 15:29:00, and the quote of 15:29:02 is what it gets
    "closed at 15:29": (
        ([56, 58, 60, 62], [99.9, 100.0, 99.0, 98.5], [100.0, 100.1, 99.1, 98.6]),
        ("EOD", 100.10, 98.50, False, (1, 2, 3)),
    ),
    # nothing comes after 15:29:00: it leaves at that row's own bid, and says that this is stale
    "closed at 15:29 and no later quote": (
        ([56, 58, 60], [99.9, 100.0, 99.0], [100.0, 100.1, 99.1]),
        ("EOD", 100.10, 99.00, True, (1, 2, 2)),
    ),
    # from 15:29:00 on nobody quotes it: its last mark, 100.05, less a thousandth, at a tick
    "closed at 15:29 and not quoted any more": (
        ([56, 58, 60, 62], [99.9, 100.0, NAN, NAN], [100.0, 100.1, NAN, NAN]),
        ("EOD", 100.10, 99.90, True, (1, 2, 3)),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_no_exit_is_booked_at_the_price_of_its_entry(tmp_path, case):
    quotes, (reason, entry, left, is_stale, rows) = CASES[case]
    trades = traded(tmp_path, day(*quotes))
    assert trades["exit_reason"].tolist() == [reason]
    assert trades["entry_price"].tolist() == [entry]
    assert trades["exit_price"].tolist() == [left]
    assert trades["stale_exit"].tolist() == [is_stale]
    entry_row, decided_row, exit_row = rows
    assert trades["entry_row"].tolist() == [entry_row]
    assert trades["exit_row"].tolist() == [exit_row]
    assert trades["exit_decided_ts"][0] == day(*quotes).ts[decided_row]
