"""The first five minutes: two simulated markets, three strategies, and what tells them apart."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from optiq.market.plants import read_plant
from optiq.market.schema import FloatArray
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.backtest import Settings
from optiq.run.returns import daily_paise
from optiq.run.stored import Run, backtest_stored, sessions
from optiq.run.user_strategy import find, from_file
from optiq.run.verdict import daily_interval, verdict
from optiq.trade.book import PAISE
from optiq.trade.strategies import Strategy

UNDERLYING = "NIFTY"
MARKETS = (("with momentum", "momentum=1"), ("without momentum", "momentum=0"))
NEXT = (
    "optiq ingest YOUR_RECORDINGS/ --store data/store",
    "optiq data show --store data/store",
    "optiq backtest --strategy gamma_scalping --store data/store",
)

Advance = Callable[[int], None]
Describe = Callable[[Strategy, Settings], str]
"""Returns the text of a run's ``config.toml``."""


def demonstrate(
    folder: Path, days: int, seed: int, describe: Describe, advance: Advance
) -> dict[str, Any]:
    """Simulate, store and backtest both markets under ``folder`` and return their story.

    ``advance`` is told of each day simulated and each backtest, 2 * days + 6 steps.
    """
    folder.mkdir(parents=True, exist_ok=True)
    strategies = [find("gamma_scalping"), find("institutional_oi"), own_strategy(folder)]
    markets = [
        _market(
            folder,
            name,
            Simulation(days, seed, plants=(read_plant(plant),)),
            strategies,
            describe,
            advance,
        )
        for name, plant in MARKETS
    ]
    return {
        "folder": str(folder),
        "days": days,
        "seed": seed,
        "quotes": sum(market["quotes"] for market in markets),
        "markets": markets,
        "next": list(NEXT),
    }


def own_strategy(folder: Path) -> Strategy:
    """Copy the example strategy into ``folder`` as a user's own and load it from there."""
    path = folder / "momentum.py"
    if not path.exists():  # it may have been edited since
        path.write_text(files("optiq.examples").joinpath("momentum.py").read_text())
    return from_file(path)


def _market(
    folder: Path,
    name: str,
    simulation: Simulation,
    strategies: list[Strategy],
    describe: Describe,
    advance: Advance,
) -> dict[str, Any]:
    place = folder / name.replace(" ", "-")
    store = Store(place / "store")
    store_simulation(simulation, store, advance=advance)
    settings, dates, lines = Settings(), sessions(store, UNDERLYING, None, None), []
    for strategy in strategies:
        out = place / "runs" / strategy.name
        shutil.rmtree(out, ignore_errors=True)
        config = describe(strategy, settings)
        run = backtest_stored(store, UNDERLYING, dates, [strategy], settings, out, config)
        lines.append(_line(strategy, run))
        advance(1)
    planted = {plant.name: plant.strength for plant in simulation.plants}
    quotes = run.summary["quotes"]
    return {"name": name, "plants": planted, "quotes": quotes, "strategies": lines}


def _line(strategy: Strategy, run: Run) -> dict[str, Any]:
    gross, net = (daily_interval(_by_day(run, money)) for money in ("gross_pnl", "net_pnl"))
    kept = ("trades", "win_rate", "gross_pnl", "charges", "net_pnl")
    return {
        "strategy": strategy.name,
        **{key: run.summary[key] for key in kept},
        "net_a_day": net.mean,
        "net_a_day_low": net.low,
        "net_a_day_high": net.high,
        "verdict": verdict(run.summary["trades"], gross, net).value,
    }


def _by_day(run: Run, money: str) -> FloatArray:
    return daily_paise(run.trades, run.summary["sessions"], money) / PAISE
