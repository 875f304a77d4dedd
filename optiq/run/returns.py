"""A run's results by session: in paise, and as the returns other libraries read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from optiq.errors import InputError
from optiq.market.schema import IntArray
from optiq.run.recorded import RecordedRun, read_run, session_days, to_paise
from optiq.run.stored import Run
from optiq.trade.book import PAISE
from optiq.trade.ledger import Columns

if TYPE_CHECKING:
    import pandas as pd


def daily_paise(trades: Columns, sessions: Sequence[str], money: str = "net_pnl") -> IntArray:
    """Return (n_sessions,) one money column of a run's trades by session, 0 without a trade.

    ``sessions`` are ISO dates, ascending, and every trade lies in one of them.
    """
    days = np.array(sessions, "datetime64[D]")
    place = np.searchsorted(days, session_days(trades["exit_ts"]))
    total = np.zeros(len(days), np.int64)
    np.add.at(total, place, to_paise(trades[money]))
    return total


def daily_returns(run: Run | RecordedRun | Path | str, capital: float) -> pd.Series:
    """Return the net result of each session of a run as a fraction of ``capital``.

    In the form quantstats and pyfolio take: named ``returns``, indexed by each session's midnight
    without a time zone, 0.0 for a session without a trade.

    Parameters
    ----------
    run
        A finished run or the path of its folder.
    capital
        Rupees the fractions are of, on every day the same: positions are not compounded.
    """
    import pandas as pd

    if not (capital > 0 and math.isfinite(capital)):
        raise InputError(f"a capital of {capital} rupees", "give the rupees that were at work")
    if isinstance(run, Path | str):
        run = read_run(Path(run))
    if "sessions" not in run.summary:
        raise InputError(f"{run.path} does not say which sessions it had", "run the backtest again")
    sessions = run.summary["sessions"]
    index = pd.DatetimeIndex(np.array(sessions, "datetime64[ns]"), name="date")
    net = daily_paise(run.trades, sessions)
    return pd.Series(net / PAISE / capital, index=index, name="returns")
