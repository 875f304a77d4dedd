"""One decision of a policy, told: the policy is asked again, and must say the same."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optiq.errors import DamagedError, MissingDataError
from optiq.market.feature_table import MARKET_FEATURES
from optiq.market.schema import BoolArray, FloatArray
from optiq.run.choices import ASIDE, NAME
from optiq.run.choosing import NONE, Choice, Chooser, one_hot
from optiq.run.recorded import RecordedRun, session_days

NAMED = re.compile(r"(?:[A-Z0-9]+-\d{8}-)?D\d+")
AGAIN = "the models' folder or optiq has changed since; run it again"


@dataclass(frozen=True, slots=True)
class Recalled:
    """A decision read back.

    Attributes
    ----------
    number
        Its place in the run's file, from 1.
    policy, version
        Who was asked to choose, and who did.
    last
        Whom the decision before it on the same day chose, -1 for standing aside or none before.
    until
        When the next decision of the day was due; NaT for the last.
    """

    decision_id: str
    number: int
    underlying: str
    ts: np.datetime64
    until: np.datetime64
    row: int
    strategies: tuple[str, ...]
    observation: FloatArray
    mask: BoolArray
    choice: Choice
    policy: str
    version: str
    seed: int
    last: int

    @property
    def session(self) -> dt.date:
        """The day in India."""
        day: dt.date = session_days(np.array([self.ts])).tolist()[0]
        return day

    @property
    def chosen(self) -> str:
        """The chosen strategy's name, or none."""
        return (*self.strategies, ASIDE)[self.choice.index]


def names_choice(text: str) -> bool:
    """Whether a text names a decision of a policy: D12, or NIFTY-20250829-D0012."""
    return NAMED.fullmatch(text.upper()) is not None


def find_choice(run: RecordedRun, wanted: str) -> Recalled:
    """Return a decision by its name or its number in the run, D1 being the first."""
    lines = _lines(run.path)
    names = [line["decision_id"] for line in lines]
    name = wanted.upper()
    number = int(name[1:]) if name[1:].isdecimal() else 0
    at = names.index(name) if name in names else number - 1
    if not 0 <= at < len(lines):
        there = f"{names[0]} to {names[-1]}, or D1 to D{len(names)}" if names else "none"
        raise MissingDataError(f"{run.path} has no decision {wanted}", f"its decisions are {there}")
    return _recalled(lines, at, tuple(run.summary["strategies"]))


def asked_again(recalled: Recalled, chooser: Chooser) -> Choice:
    """Return what the policy chooses of the same; `DamagedError` where it is something else."""
    acting = chooser.on(recalled.underlying, recalled.session)
    shown = recalled.observation
    if acting.remembers:
        shown = np.append(shown, one_hot(recalled.last, len(recalled.mask)))
    choice = acting.policy(shown, recalled.mask, chooser.draws(recalled.ts))
    then, names = recalled.choice, (*recalled.strategies, ASIDE)
    is_same = choice.index == then.index and all(
        np.array_equal(one, other, equal_nan=True)
        for one, other in (
            (choice.preferences, then.preferences),
            (choice.propensity, then.propensity),
        )
    )
    if not is_same:
        raise DamagedError(
            f"{recalled.decision_id} chose {recalled.chosen}; asked again, {recalled.version} "
            f"chooses {names[choice.index]} with other preferences or chances",
            AGAIN,
        )
    return choice


def told(recalled: Recalled, run: RecordedRun) -> dict[str, Any]:
    """Return the story of a decision: what was seen, possible, preferred and chosen, and after.

    Times are UTC, ``net_pnl`` rupees; NaN is unknown.
    """
    choice, columns = recalled.choice, zip(MARKET_FEATURES, recalled.observation, strict=True)
    return {
        "decision": recalled.decision_id,
        "run": str(run.path),
        "underlying": recalled.underlying,
        "date": recalled.session,
        "ts": recalled.ts,
        "row": recalled.row,
        "policy": recalled.policy,
        "version": recalled.version,
        "seed": recalled.seed,
        "chosen": recalled.chosen,
        "chosen_by": run.summary.get("chosen_by"),
        "strategies": [
            {
                "name": name,
                "possible": bool(recalled.mask[place]),
                "preference": float(choice.preferences[place]),
                "propensity": float(choice.propensity[place]),
            }
            for place, name in enumerate(recalled.strategies)
        ],
        "observation": [
            {"name": feature.name, "value": float(value), "unit": feature.unit}
            for feature, value in columns
        ],
        "trades": _trades(recalled, run),
    }


def _trades(recalled: Recalled, run: RecordedRun) -> list[dict[str, Any]]:
    """Return the trades that were decided under the choice."""
    trades = run.trades
    decided = trades["decided_ts"]
    is_mine = (decided >= recalled.ts) & (session_days(decided) == np.datetime64(recalled.session))
    if not np.isnat(recalled.until):
        is_mine &= decided < recalled.until
    return [
        {"trade": name, "net_pnl": float(trades["net_pnl"][trades["trade_id"] == name].sum())}
        for name in dict.fromkeys(trades["trade_id"][is_mine].tolist())
    ]


def _lines(folder: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / NAME
    if not path.is_file():
        raise MissingDataError(
            f"{folder} has no decisions of a policy", "optiq backtest --policy random makes some"
        )
    try:
        lines: list[dict[str, Any]] = pq.read_table(path, partitioning=None).to_pylist()
    except (OSError, ValueError, pa.ArrowException) as reason:
        raise DamagedError(f"{path} cannot be read: {reason}", "run it again") from reason
    return lines


def _recalled(lines: list[dict[str, Any]], at: int, strategies: tuple[str, ...]) -> Recalled:
    line, names = lines[at], (*strategies, ASIDE)
    around = [lines[k] if 0 <= k < len(lines) else None for k in (at - 1, at + 1)]
    before, after = (other if other and _day(other) == _day(line) else None for other in around)
    last = NONE if before is None or before["chosen"] == ASIDE else names.index(before["chosen"])
    index = NONE if line["chosen"] == ASIDE else names.index(line["chosen"])
    return Recalled(
        decision_id=line["decision_id"],
        number=at + 1,
        underlying=line["underlying"],
        ts=_moment(line["ts"]),
        until=np.datetime64("NaT") if after is None else _moment(after["ts"]),
        row=line["row"],
        strategies=strategies,
        observation=_numbers(line["observation"]),
        mask=np.array(line["mask"], bool),
        choice=Choice(index, _numbers(line["preferences"]), _numbers(line["propensity"])),
        policy=line["policy"],
        version=line["version"],
        seed=line["seed"],
        last=last,
    )


def _day(line: dict[str, Any]) -> str:
    return str(line["decision_id"]).rpartition("-")[0]


def _moment(ts: dt.datetime) -> np.datetime64:
    return np.datetime64(ts.astimezone(dt.UTC).replace(tzinfo=None), "us")


def _numbers(values: list[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], np.float64)
