"""The settings of a run: every section there is, filled from file, environment and flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optiq.cli.config import resolve
from optiq.run.backtest import Settings
from optiq.run.user_strategy import find, find_all
from optiq.trade.charges import Broker
from optiq.trade.fills import WalkSettings
from optiq.trade.limits import Limits
from optiq.trade.strategies import BUILT_IN, Strategy


def run_settings(
    names: Sequence[str], config: Path | None, overrides: Sequence[str]
) -> tuple[Settings, list[Strategy], dict[str, Any]]:
    """Return the run's settings, its strategies with their parameters, and both as resolved.

    A file may configure strategies this run does not use: those that ship are known to it.
    """
    strategies = find_all(list(names))
    known = {name: find(name).params_type for name in BUILT_IN}
    known |= {strategy.name: strategy.params_type for strategy in strategies}
    filled = resolve(
        {"walk": WalkSettings, "limits": Limits, "charges": Broker, **known}, config, overrides
    )
    settings = Settings(filled["walk"], filled["limits"], filled["charges"])
    chosen = [replace(strategy, params=filled[strategy.name]) for strategy in strategies]
    return settings, chosen, sections_of(settings, chosen)


def sections_of(settings: Settings, strategies: Sequence[Strategy]) -> dict[str, Any]:
    """Return a run's settings by section, as its ``config.toml`` keeps them."""
    own = {strategy.name: strategy.params for strategy in strategies}
    return {"walk": settings.walk, "limits": settings.limits, "charges": settings.broker, **own}
