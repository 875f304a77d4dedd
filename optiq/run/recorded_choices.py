"""A policy's decisions read back from a run's folder, and checked against its summary."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from optiq.errors import DamagedError
from optiq.market.schema import AnyArray, BoolArray, IntArray, TimeArray
from optiq.run.choices import ASIDE, NAME
from optiq.run.choosing import NONE
from optiq.run.recorded import RecordedRun, read_columns, session_days

AGAIN = "run the backtest again; its config.toml repeats it"


@dataclass(frozen=True, slots=True)
class RecordedChoices:
    """The decisions of a run, in order of time.

    Attributes
    ----------
    ts : (n,) datetime64[us]
        UTC.
    day : (n,) datetime64[D]
        In India.
    possible : (n, n_strategies) bool
    chosen : (n,) int64
        The place of the strategy, -1 for none.
    version : (n,) object
        Who chose.
    """

    strategies: tuple[str, ...]
    ts: TimeArray
    day: TimeArray
    possible: BoolArray
    chosen: IntArray
    version: AnyArray

    def among(self, those: AnyArray) -> RecordedChoices:
        """Return some of them."""
        columns = ("ts", "day", "possible", "chosen", "version")
        return replace(self, **{name: getattr(self, name)[those] for name in columns})


def read_choices(run: RecordedRun) -> RecordedChoices | None:
    """Return the decisions of a run; None where its strategies traded side by side.

    `DamagedError` where its files disagree about them.
    """
    path, names = run.path / NAME, tuple(run.summary["strategies"])
    if not path.is_file():
        return None
    read = read_columns(path, ("ts", "mask", "chosen", "version"))
    place = {name: number for number, name in enumerate(names)} | {ASIDE: NONE}
    found, counts = np.unique(read["chosen"].astype(str), return_counts=True)
    told = dict(zip(found.tolist(), counts.tolist(), strict=True))
    if not told.keys() <= place.keys() or told != run.summary.get("choices"):
        raise DamagedError(f"{path} tells of other choices than summary.json", AGAIN)
    return RecordedChoices(
        strategies=names,
        ts=read["ts"],
        day=session_days(read["ts"]),
        possible=read["mask"].astype(np.bool_),
        chosen=np.array([place[name] for name in read["chosen"].tolist()], np.int64),
        version=read["version"],
    )
