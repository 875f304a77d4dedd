"""The episodes of a store as arrays: what was seen, what was possible, what each choice made."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from optiq.errors import DamagedError, MissingDataError
from optiq.market.feature_table import MARKET_FEATURES
from optiq.market.schema import AnyArray, BoolArray, FloatArray, IntArray, TimeArray
from optiq.run.episodes import FOLDER, feature_hash
from optiq.trade.strategies import BUILT_IN

OBSERVED = tuple(feature.name for feature in MARKET_FEATURES)
"""The names of an observation's numbers, in order."""
BUILD_AGAIN = "build them again in one go: optiq episodes build"
_SAID = ("ts", "feature_hash", "walk_hash", "observation", "mask", "choice", "propensity")


@dataclass(frozen=True)
class EpisodeTable:
    """Logged decisions in order of session and time.

    Attributes
    ----------
    observation : (n, n_observed) float64
        The market's features as they were seen, not scaled; NaN where unknown.
    mask : (n, n_strategies) bool
        Which strategies were possible.
    r : (n, n_strategies) float64
        What each strategy's next order came to alone, in units of what its stop risks; 0 where it
        gave none.
    session, ts, end : (n,)
        The Indian date, the moment of the decision and the latest exit of its eight results (the
        decision itself where nothing was traded), UTC.
    choice : (n,) int
        The strategy that was chosen then, -1 for none.
    propensity : (n, n_strategies) float64
        With what probability each was.
    """

    observation: FloatArray
    mask: BoolArray
    r: FloatArray
    session: TimeArray
    ts: TimeArray
    end: TimeArray
    choice: IntArray
    propensity: FloatArray
    strategies: tuple[str, ...] = BUILT_IN
    observed: tuple[str, ...] = OBSERVED
    underlyings: tuple[str, ...] = ()
    feature_hash: str = ""
    walk_hash: str = ""

    def __len__(self) -> int:
        return len(self.ts)

    @cached_property
    def sessions(self) -> TimeArray:
        """The sessions there are, ascending."""
        return np.unique(self.session)

    @cached_property
    def sha256(self) -> str:
        """The hash of all that a policy could learn from."""
        digest = hashlib.sha256(repr((self.strategies, self.observed, self.walk_hash)).encode())
        for array in (self.observation, self.mask, self.r, self.session, self.ts, self.end):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def take(self, rows: AnyArray) -> EpisodeTable:
        """Return some rows, by number or as a boolean (n,)."""
        arrays = {name: getattr(self, name)[rows] for name in _ARRAYS}
        return replace(self, **arrays)

    def of_sessions(self, days: Sequence[dt.date] | TimeArray) -> EpisodeTable:
        """Return the rows of some sessions."""
        return self.take(np.isin(self.session, np.array(days, "datetime64[D]")))


_ARRAYS = ("observation", "mask", "r", "session", "ts", "end", "choice", "propensity")


def read_episodes(
    root: Path,
    underlyings: Sequence[str],
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> EpisodeTable:
    """Return the episodes of a store, from session ``first`` to ``last``, both included.

    `MissingDataError` where there are none. `DamagedError` where they do not belong together:
    observed or walked by different rules, or by other features than this version's.
    """
    parts = []
    for name in underlyings:
        files = files_of(root, name)
        days = [(path, day) for path, day in files if (first or day) <= day <= (last or day)]
        if not days:  # a card must name no index that nothing was learnt of
            raise MissingDataError(
                f"no episodes of {name} in {root}",
                "optiq episodes build makes them of stored days; a paper session logs its own",
            )
        parts += [_read(path, day) for path, day in days]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    features = _only(whole.pop("feature_hash"), "features")
    walk = _only(whole.pop("walk_hash"), "settings of the walk, charges or strategies")
    if features != feature_hash():
        raise DamagedError(
            f"the episodes in {root} were observed with other features than this version's",
            BUILD_AGAIN,
        )
    order = np.lexsort((whole["ts"], whole["session"]))
    arrays: dict[str, Any] = {name: whole[name][order] for name in _ARRAYS}
    return EpisodeTable(
        **arrays,
        underlyings=tuple(underlyings),
        feature_hash=features,
        walk_hash=walk,
    )


def files_of(root: Path, underlying: str) -> list[tuple[Path, dt.date]]:
    """Return the episodes files of an underlying with their sessions, ascending."""
    found = (root / FOLDER / f"underlying={underlying}").glob("date=*/part.parquet")
    days = [(path, dt.date.fromisoformat(path.parent.name.partition("=")[2])) for path in found]
    return sorted(days, key=lambda one: one[1])


def sessions_with_episodes(root: Path, underlyings: Sequence[str]) -> set[dt.date]:
    """Return the sessions of which a store has episodes, of all the underlyings."""
    found = [{day for _, day in files_of(root, name)} for name in underlyings]
    return set.intersection(*found) if found else set()


def _read(path: Path, day: dt.date) -> dict[str, AnyArray]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    results = [f"{name}_r" for name in BUILT_IN]
    exits = [f"{name}_exit_ts" for name in BUILT_IN]
    try:
        table = pq.read_table(path, columns=[*_SAID, *results, *exits], partitioning=None)
    except (OSError, ValueError, KeyError, pa.ArrowException) as reason:
        raise DamagedError(f"{path} cannot be read: {reason}", BUILD_AGAIN) from reason
    if missing := [name for name in (*_SAID, *results, *exits) if name not in table.column_names]:
        raise DamagedError(f"{path} has no column {missing[0]}", BUILD_AGAIN)
    ts = _times(table["ts"])
    ends = np.stack([ts, *(_times(table[name]) for name in exits)])
    return {
        "observation": _matrix(table["observation"], len(OBSERVED), path).astype(np.float64),
        "mask": _matrix(table["mask"], len(BUILT_IN), path).astype(bool),
        "r": np.stack([table[name].to_numpy().astype(np.float64) for name in results], axis=1),
        "session": np.full(len(ts), np.datetime64(day)),
        "ts": ts,
        "end": np.fmax.reduce(ends, axis=0),
        "choice": table["choice"].to_numpy().astype(np.int64),
        "propensity": _matrix(table["propensity"], len(BUILT_IN), path).astype(np.float64),
        "feature_hash": table["feature_hash"].to_numpy().astype(str),
        "walk_hash": table["walk_hash"].to_numpy().astype(str),
    }


def _matrix(column: AnyArray, width: int, path: Path) -> AnyArray:
    values: AnyArray = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)  # type: ignore[attr-defined]
    if len(values) != len(column) * width:
        raise DamagedError(f"{path}: lists that are not {width} long", BUILD_AGAIN)
    return values.reshape(len(column), width)


def _times(column: AnyArray) -> TimeArray:
    times: TimeArray = column.to_numpy().astype("datetime64[us]")  # type: ignore[attr-defined]
    return times


def _only(hashes: AnyArray, what: str) -> str:
    found = np.unique(hashes).tolist()
    if len(found) > 1:
        raise DamagedError(
            f"the episodes were made under {len(found)} different {what} and cannot be learnt "
            "from together",
            f"{BUILD_AGAIN}, or narrow them with --from and --to",
        )
    return str(found[0])
