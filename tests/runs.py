"""Folders of runs by hand: a few trades or many, written as a backtest writes them."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from optiq.market.schema import IST
from optiq.report.spot_paths import SpotPath

UTC = pa.timestamp("us", "UTC")
CHARGE_LINES = ("brokerage", "stt", "exchange_txn", "ipft", "sebi", "stamp", "gst")


def ist(day: str, clock: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=IST)


@dataclass(frozen=True)
class Trade:
    """One trade; ``gross`` and ``charges`` are paise a leg, in the order of its legs."""

    gross: tuple[int, ...] = (10_000,)
    charges: tuple[int, ...] = (5_000,)
    strategy: str = "alpha"
    day: str = "2025-11-20"
    entered: str = "10:00:00"
    left: str = "10:30:00"
    reason: str = "TARGET"
    expiry: str = "2025-11-25"
    sides: tuple[int, ...] = (1,)
    stale: bool = False
    waited_s: float = 60.0
    score: float | None = None

    def legs(self, number: int) -> list[dict[str, Any]]:
        """The rows of trades.parquet."""
        entry, leave = ist(self.day, self.entered), ist(self.day, self.left)
        wait = dt.timedelta(seconds=self.waited_s)
        return [
            {
                "trade_id": f"NIFTY-{self.day.replace('-', '')}-{number:04d}",
                "strategy": self.strategy,
                "underlying": "NIFTY",
                "expiry": dt.date.fromisoformat(self.expiry),
                "strike": 26_000.0 + 50 * leg,
                "right": "CE",
                "side": self.sides[leg],
                "lots": 1,
                "quantity": 75,
                "decided_ts": entry - wait,
                "entry_ts": entry,
                "entry_price": 120.5,
                "exit_decided_ts": leave - wait,
                "exit_ts": leave,
                "exit_price": 138.0,
                "exit_reason": self.reason,
                "stale_exit": self.stale,
                "gross_pnl": self.gross[leg] / 100,
                "charges": self.charges[leg] / 100,
                "net_pnl": (self.gross[leg] - self.charges[leg]) / 100,
                "score": self.score,
                "entry_row": 1,
                "exit_row": 2,
            }
            for leg in range(len(self.gross))
        ]

    @property
    def net(self) -> int:
        """Paise."""
        return sum(self.gross) - sum(self.charges)


@dataclass(frozen=True)
class Recorded:
    """What a run's folder is to say beside its trades."""

    days: int = 25
    strategies: tuple[str, ...] = ("alpha", "beta")
    refused: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    store: Path | None = None
    half_spreads: tuple[float, float] | None = None
    """Entry and exit of every leg; None writes no fills.parquet, as older runs."""
    settings: str = "[walk]\nlatency_s = 1.0\n"


DAY = dt.date(2025, 11, 20)
TRADES = (
    Trade((10_001,), (5_000,)),
    Trade((-20_000,), (5_000,), entered="09:59:59", reason="STOP", expiry="2025-11-20"),
    Trade(
        (300, -900),
        (50, 50),
        strategy="beta",
        entered="14:45:00",
        left="15:00:00",
        sides=(1, -1),
        reason="EOD",
    ),
    Trade((4_000,), (4_000,), day="2025-11-21", expiry="2025-11-21", stale=True),
)

"""Two days: a gain, a loss on the expiry day, a package of two legs, and one that comes to 0."""

HOSTILE = """</script><img src=x onerror="alert('_1')">&amp;"""


def random_path(seed: int) -> SpotPath:
    rng = np.random.default_rng(seed)
    ts = np.datetime64("2025-11-20T03:45", "us") + np.arange(376) * np.timedelta64(1, "m")
    return SpotPath(ts, 26_000 * np.exp(np.cumsum(rng.normal(0, 3e-4, 376))), 555.0, 930.0)


def write_run(path: Path, trades: Sequence[Trade], told: Recorded | None = None) -> Path:
    """Write the folder of a run and return it."""
    told = told or Recorded()
    path.mkdir(parents=True)
    legs = [leg for number, trade in enumerate(trades) for leg in trade.legs(number + 1)]
    _write(path / "trades.parquet", legs, trades_schema())
    decisions = [(trade.strategy, "filled", ist(trade.day, trade.entered)) for trade in trades]
    at = ist(min((trade.day for trade in trades), default="2025-11-20"), "09:16:00")
    decisions += [(told.strategies[0], s, at) for s, n in told.refused.items() for _ in range(n)]
    rows = [{"strategy": who, "status": what, "ts": when} for who, what, when in decisions]
    names = [("ts", UTC), ("strategy", pa.string()), ("status", pa.string())]
    _write(path / "decisions.parquet", rows, pa.schema(names))
    _write(path / "equity.parquet", equity(trades), pa.schema([("ts", UTC), ("equity", "double")]))
    if told.half_spreads is not None:
        fills = [fill(leg, told.half_spreads) for leg in legs]
        pq.write_table(pa.Table.from_pylist(fills), path / "fills.parquet")
    (path / "summary.json").write_text(json.dumps(summary(path, trades, told)))
    store = f"store = {json.dumps(str(told.store))}\n" if told.store else ""
    (path / "config.toml").write_text(store + told.settings)
    return path


@dataclass(frozen=True)
class Window:
    """One decision of a policy: when, who chose, who could have been and who was chosen."""

    clock: str
    chosen: str
    possible: tuple[str, ...] = ("alpha", "beta")
    day: str = "2025-11-20"
    version: str = "random"


def write_choices(run: Path, windows: Sequence[Window], **about: Any) -> Path:
    """Write a policy's decisions beside the trades of a run; ``about`` goes into its summary."""
    told = json.loads((run / "summary.json").read_text())
    counts = Counter(window.chosen for window in windows)
    told |= {"policy": "random", "seed": 7, "chosen_by": None, "choices": counts, **about}
    (run / "summary.json").write_text(json.dumps(told))
    rows = [
        {
            "ts": ist(window.day, window.clock),
            "mask": [name in window.possible for name in told["strategies"]],
            "chosen": window.chosen,
            "version": window.version,
        }
        for window in windows
    ]
    mask = pa.list_(pa.bool_(), len(told["strategies"]))
    names = [("ts", UTC), ("mask", mask), ("chosen", pa.string()), ("version", pa.string())]
    _write(run / "choices.parquet", rows, pa.schema(names))
    return run


def equity(trades: Sequence[Trade]) -> list[dict[str, Any]]:
    moments: dict[dt.datetime, int] = {}
    for trade in trades:
        when = ist(trade.day, trade.left)
        moments[when] = moments.get(when, 0) + trade.net
    so_far = np.cumsum([moments[when] for when in sorted(moments)]).tolist()
    return [{"ts": t, "equity": n / 100} for t, n in zip(sorted(moments), so_far, strict=True)]


def fill(leg: dict[str, Any], half_spreads: tuple[float, float]) -> dict[str, Any]:
    entry, leave = half_spreads
    kept = ("trade_id", "strategy", "side", "quantity", "entry_price", "exit_price")
    return {
        **{name: leg[name] for name in kept},
        "leg": 0,
        "decided_entry_price": 120.0,
        "entry_half_spread": entry,
        "decided_exit_price": 139.0 if leg["side"] > 0 else None,
        "exit_half_spread": leave,
    }


def summary(path: Path, trades: Sequence[Trade], told: Recorded) -> dict[str, Any]:
    gross = sum(sum(trade.gross) for trade in trades)
    charges = sum(sum(trade.charges) for trade in trades)
    refused = sum(told.refused.values())
    dates = sorted(trade.day for trade in trades) or ["2025-11-20"]
    return {
        "run": str(path),
        "underlying": "NIFTY",
        "from": dates[0],
        "to": dates[-1],
        "strategies": list(told.strategies),
        "days": told.days,
        "rows": 9_375,
        "quotes": 1_606_423,
        "trades": len(trades),
        "gross_pnl": gross / 100,
        "charges": charges / 100,
        "net_pnl": (gross - charges) / 100,
        "win_rate": sum(trade.net > 0 for trade in trades) / len(trades) if trades else None,
        "max_drawdown": 0.0,
        "profit_factor": None,
        "exits": {},
        "charge_lines": dict.fromkeys(CHARGE_LINES, charges / 700),
        "orders": len(trades) + refused,
        "expired": 0,
        "refused": refused,
        "refused_by": told.refused,
        "stale_exits": sum(trade.stale for trade in trades),
        "equal_price_trades": 0,
        "equal_price_quoted_again": 0,
        "equal_price_without_quote": 0,
        "reverting_jumps": 0,
        "latency_s": 1.0,
        "filled_on_deciding_quote": False,
        "net_pnl_if_latency_0": 0.0,
        "notes": list(told.notes),
        "elapsed_s": 1.0,
    }


def trades_schema() -> pa.Schema:
    kinds: dict[str, Any] = {
        "expiry": pa.date32(),
        "strike": pa.float64(),
        "side": pa.int32(),
        "lots": pa.int32(),
        "quantity": pa.int64(),
        "stale_exit": pa.bool_(),
        "entry_row": pa.int64(),
        "exit_row": pa.int64(),
    }
    for name in ("entry_price", "exit_price", "gross_pnl", "charges", "net_pnl", "score"):
        kinds[name] = pa.float64()
    for name in ("decided_ts", "entry_ts", "exit_decided_ts", "exit_ts"):
        kinds[name] = UTC
    return pa.schema([(name, kinds.get(name, pa.string())) for name in Trade().legs(1)[0]])


def _write(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
