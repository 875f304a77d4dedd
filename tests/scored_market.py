"""A small simulated market and one scorer that has learnt from its first four sessions."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

from optiq.cli.app import main
from optiq.learn.dataset import Recipe, dataset
from optiq.learn.scorer.candidate import candidate
from optiq.learn.scorer.fit import FitSettings
from optiq.learn.scorer.training import Plan
from optiq.market.plants import Momentum
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.backtest import Settings
from optiq.trade.fills import WalkSettings
from optiq.trade.strategies import built_in

RECIPE = Recipe(built_in("gamma_scalping"), Settings(walk=WalkSettings(latency_s=0.0)))
QUICK = Plan(FitSettings(max_rounds=15, patience=5), lockbox=0)


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="optiq-scored-")


def _folder() -> Path:
    return Path(_temporary().name)


@cache
def market() -> Store:
    """Six sessions, ten minutes apart; stored once a test run."""
    store = Store(_folder() / "store")
    plants = (Momentum(1.0),)
    store_simulation(Simulation(days=6, seed=3, plants=plants, row_seconds=600.0), store)
    return store


@cache
def trained() -> Path:
    """Models with one candidate, fitted once a test run."""
    root = _folder() / "models"
    candidate(
        root, dataset(market(), market().days("NIFTY")[:4], RECIPE), ("NIFTY",), RECIPE, QUICK
    )
    return root


def models_in(folder: Path) -> Path:
    """The same models where a test may spoil them."""
    shutil.copytree(trained(), folder / "models")
    return folder / "models"


def days() -> list[dt.date]:
    return [day.date for day in market().days("NIFTY")]


def run(capsys, command: str, models: Path, *words: str) -> tuple[int, dict]:
    """Run a command on that market and return its status and its last JSON object."""
    asked = [command, "--store", str(market().root), "--models", str(models), *words, "--json"]
    status = main(asked)
    return status, json.loads(capsys.readouterr().out.splitlines()[-1])
