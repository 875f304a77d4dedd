"""Proof that a paper session was the backtest: its journaled rows, walked at once."""

from __future__ import annotations

import datetime as dt
from itertools import zip_longest
from pathlib import Path
from typing import Any

from optiq.errors import DamagedError, InputError
from optiq.run.backtest import DayResult, backtest_day
from optiq.run.choices import NAME, choices_of
from optiq.run.directory import to_table
from optiq.run.paper import walk_again
from optiq.run.sessions import Ensemble, StoredSession, day_of

Lines = list[dict[str, Any]]
CHOSEN = ("ts", "row", "observation", "mask", "preferences", "propensity", "chosen", "seed")
"""What two choices must have in common; a champion may have been asked for by its version."""


def prove(session: StoredSession, ensemble: Ensemble, run: Path | None = None) -> dict[str, Any]:
    """Compare a finished session with a fresh backtest of its rows, and with a run if given.

    `DamagedError` naming the first row or trade that differs, with both states.
    """
    plan = session.plan
    day = day_of(plan, ensemble)
    if not walk_again(day, session.events):
        day.finish()
    panel = day.rows.panel()
    fresh = backtest_day(
        panel,
        plan.context,
        ensemble.strategies,
        ensemble.settings,
        ensemble.scorer,
        ensemble.chooser,
        direction=ensemble.direction,
        compare_instant=False,
    )
    ours = day.result()
    trades, choices = to_table(ours.trades()).to_pylist(), _choices(ours)
    walked_at_once = to_table(fresh.trades()).to_pylist()
    require_same_choices(choices, _choices(fresh), "the session", "a backtest of its rows")
    require_same_trades(trades, walked_at_once, "the session", "a backtest of its rows")
    if run is not None:
        other = trades_of_run(run, plan.underlying, plan.date)
        require_same_trades(trades, other, "the session", str(run))
        theirs = choices_of_run(run, plan.underlying, plan.date)
        require_same_choices(choices, theirs, "the session", str(run))
    return {
        "session": session.folder.name,
        "rows": panel.n_rows,
        "decisions": len(day.orders),
        "choices": len(choices),
        "trades": len({trade["trade_id"] for trade in trades}),
        "mismatches": 0,
    }


def _choices(day: DayResult) -> Lines:
    if day.chosen is None:
        return []
    lines: Lines = to_table(choices_of(day, day.chosen)).to_pylist()
    return lines


def require_same_choices(ours: Lines, theirs: Lines, who: str, other: str) -> None:
    """Raise `DamagedError` with the first of a policy's decisions that is not the same in both."""
    for number, (a, b) in enumerate(zip_longest(ours, theirs), 1):
        names = [name for name in CHOSEN if (a or {}).get(name) != (b or {}).get(name)]
        if names:
            raise DamagedError(
                f"choice {number} is not the same: {_text(who, a, names)}; "
                f"{_text(other, b, names)}",
                "the policy, the code, the settings or the recorded rows have changed since",
            )


def require_same_trades(ours: Lines, theirs: Lines, who: str, other: str) -> None:
    """Raise `DamagedError` with the first trade that is not the same in both."""
    for number, (a, b) in enumerate(zip_longest(ours, theirs), 1):
        names = [name for name in a or b or {} if (a or {}).get(name) != (b or {}).get(name)]
        if names:
            raise DamagedError(
                f"trade {number} is not the same: {_text(who, a, names)}; {_text(other, b, names)}",
                "the code, the settings or the recorded rows have changed since",
            )


def trades_of_run(run: Path, underlying: str, date: dt.date) -> Lines:
    """Return one day's trades of a run directory, a dictionary each."""
    import pyarrow.parquet as pq

    path = run / "trades.parquet"
    if not path.is_file():
        raise InputError(f"no run in {run}", "give the folder that `optiq backtest` named")
    day = f"{underlying}-{date:%Y%m%d}-"
    lines: Lines = pq.read_table(path).to_pylist()
    return [line for line in lines if line["trade_id"].startswith(day)]


def choices_of_run(run: Path, underlying: str, date: dt.date) -> Lines:
    """Return one day's choices of a run directory; none where all traded."""
    import pyarrow.parquet as pq

    path, day = run / NAME, f"{underlying}-{date:%Y%m%d}-"
    if not path.is_file():
        return []
    lines: Lines = pq.read_table(path).to_pylist()
    return [line for line in lines if line["decision_id"].startswith(day)]


def _text(who: str, line: dict[str, Any] | None, names: list[str]) -> str:
    if line is None:
        return f"{who} has none"
    return f"{who} has {', '.join(f'{name} {line[name]}' for name in names[:4])}"
