"""Episodes: what was seen at each decision, what was chosen, and what every choice would have made.

One Parquet file an underlying and session, one row a decision. Nothing here was a trade: the
results are shadow results, one lot alone without limits, so every action's reward is known.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optiq.market.context import Context
from optiq.market.durable import durable_step, make_folder, storage_error, sync_folder
from optiq.market.feature_table import MARKET_FEATURES
from optiq.market.panel import Panel
from optiq.market.store import Store
from optiq.run.asking import ask
from optiq.run.backtest import Settings
from optiq.run.choosing import Chooser, Decision
from optiq.run.seeing import Direction, seen, speaker
from optiq.run.shadow import Shadow, shadows
from optiq.run.stored import fields_of, panels
from optiq.trade.book import Records
from optiq.trade.charges import schedule
from optiq.trade.strategies import Strategy

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = 1
FOLDER = "episodes"
ENOUGH_EPISODES, ENOUGH_SESSIONS = 1000, 60
"""Below either a policy is not trained and the choice stays random."""

Lines = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a day's episodes come from: a session's name, the policy that chose, its seed.

    ``direction`` is the version of the direction model that strategies saw, "" without one.
    """

    session: str
    policy: str
    seed: int
    direction: str = ""


def episodes_of(
    panel: Panel,
    orders: Records,
    decisions: Sequence[Decision],
    strategies: Sequence[Strategy],
    settings: Settings,
    origin: Origin,
) -> Lines:
    """Return a day's episodes, one dictionary a decision; ``orders`` are those of everyone."""
    rates = schedule(panel.underlying, panel.date, settings.broker).rates
    results = shadows(panel, orders, decisions, len(strategies), rates, settings.walk)
    hashes = {"feature_hash": feature_hash(), "walk_hash": walk_hash(settings, strategies)}
    return [
        {
            "schema": SCHEMA,
            "session": origin.session,
            "underlying": panel.underlying,
            "ts": moment(decision.ts),
            "row": decision.row,
            **hashes,
            "policy_version": origin.policy,
            "seed": origin.seed,
            "direction_version": origin.direction,
            "observation": decision.observation.tolist(),
            "mask": decision.mask.tolist(),
            "choice": decision.choice.index,
            "propensity": decision.choice.propensity.tolist(),
            **_flat(strategies, row),
        }
        for decision, row in zip(decisions, results, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Built:
    """How many episodes were made, and in how many of them some strategy would have traded."""

    episodes: int
    traded: int


def build_day(
    panel: Panel,
    context: Context,
    strategies: Sequence[Strategy],
    settings: Settings,
    chooser: Chooser,
    direction: Direction | None = None,
) -> Lines:
    """Return the episodes of a stored day: the rows a paper session of that day would log."""
    chain, rows = panel.chain_only, panel.chain_rows
    context = seen(chain, context, direction)
    decisions = chooser.decide(chain, rows, context, strategies, settings.limits)
    name = f"stored-{panel.underlying.lower()}-{panel.date}"
    who = chooser.on(panel.underlying, panel.date).who
    origin = Origin(name, who, chooser.seed, speaker(direction, context, panel.date))
    orders = ask(chain, rows, context, strategies)
    return episodes_of(panel, orders, decisions, strategies, settings, origin)


def build(
    store: Store,
    underlying: str,
    dates: Sequence[dt.date],
    strategies: Sequence[Strategy],
    settings: Settings,
    chooser: Chooser,
    advance: Callable[[int], None],
    direction: Direction | None = None,
) -> Built:
    """Write the episodes of stored days; ``advance`` is told of days."""
    count = traded = 0
    fields = fields_of(list(strategies), chooser=chooser)
    for panel, context in panels(store, underlying, list(dates), fields):
        lines = build_day(panel, context, strategies, settings, chooser, direction)
        write(store.root, underlying, panel.date, lines, strategies)
        count += len(lines)
        traded += sum(any(line[f"{one.name}_r"] for one in strategies) for line in lines)
        advance(1)
    return Built(count, traded)


def write(
    root: Path, underlying: str, date: dt.date, lines: Lines, strategies: Sequence[Strategy]
) -> Path:
    """Write a day's episodes in place of what was there; a reader sees the old or the new."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = root / FOLDER / f"underlying={underlying}" / f"date={date}" / "part.parquet"
    make_folder(path.parent)
    part = path.with_name(".part.tmp")
    try:
        pq.write_table(pa.Table.from_pylist(lines, schema_of(strategies)), part, compression="zstd")
        with part.open("rb") as file:
            os.fsync(file.fileno())
        durable_step()
        part.replace(path)
        sync_folder(path.parent)
        durable_step()
    except OSError as reason:
        raise storage_error(path, reason) from reason
    return path


def schema_of(strategies: Sequence[Strategy]) -> pa.Schema:
    """Return the columns of an episodes file: the decision's, then six a strategy by its name."""
    import pyarrow as pa

    time, real = pa.timestamp("us", "UTC"), pa.float64()
    named = [
        *(("schema", pa.int32()), ("session", pa.string()), ("underlying", pa.string())),
        *(("ts", time), ("row", pa.int32()), ("feature_hash", pa.string())),
        *(("walk_hash", pa.string()), ("policy_version", pa.string()), ("seed", pa.int64())),
        ("direction_version", pa.string()),
        *(("observation", pa.list_(real, len(MARKET_FEATURES))), ("mask", pa.list_(pa.bool_()))),
        *(("choice", pa.int32()), ("propensity", pa.list_(real))),
    ]
    kinds = {"entry_ts": time, "exit_ts": time, "status": pa.string(), "exit_reason": pa.string()}
    for strategy in strategies:
        named += [(f"{strategy.name}_{f.name}", kinds.get(f.name, real)) for f in fields(Shadow)]
    return pa.schema(named)


def counted(root: Path, underlying: str | None = None) -> list[dict[str, Any]]:
    """Return how many episodes and sessions each underlying of a store has."""
    import pyarrow.parquet as pq

    found = []
    for place in sorted((root / FOLDER).glob(f"underlying={underlying or '*'}")):
        files = sorted(place.glob("date=*/part.parquet"))
        found.append(
            {
                "underlying": place.name.partition("=")[2],
                "episodes": sum(pq.read_metadata(file).num_rows for file in files),
                "sessions": len(files),
                "first": files[0].parent.name.partition("=")[2] if files else None,
                "last": files[-1].parent.name.partition("=")[2] if files else None,
            }
        )
    return found


def feature_hash() -> str:
    """Return a digest of what the observation's numbers mean."""
    text = repr([(f.name, f.formula, f.unit, f.window) for f in MARKET_FEATURES])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def walk_hash(settings: Settings, strategies: Sequence[Strategy]) -> str:
    """Return a digest of the rules behind the shadow results."""
    rules = [asdict(settings.walk), asdict(settings.broker)]
    rules += [{"strategy": s.name, **asdict(s.params)} for s in strategies]
    return hashlib.sha256(repr(rules).encode()).hexdigest()[:12]


def _flat(strategies: Sequence[Strategy], row: Sequence[Shadow]) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for strategy, shadow in zip(strategies, row, strict=True):
        for name, value in asdict(shadow).items():
            known = moment(value) if isinstance(value, np.datetime64) else value
            line[f"{strategy.name}_{name}"] = known
    return line


def moment(ts: np.datetime64) -> dt.datetime | None:
    """Return a UTC moment with its zone; None for NaT."""
    if np.isnat(ts):
        return None
    told: dt.datetime = ts.astype("datetime64[us]").item()
    return told.replace(tzinfo=dt.UTC)
