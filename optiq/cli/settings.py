"""The settings of a run: every section there is, filled from file, environment and flags."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import field, fields, make_dataclass, replace
from pathlib import Path
from typing import Any

from optiq.cli.config import resolve
from optiq.errors import StrategyError
from optiq.learn.evening.settings import EveningSettings
from optiq.run.backtest import Settings
from optiq.run.user_strategy import all_names, find, find_all
from optiq.trade.charges import Broker
from optiq.trade.fills import WalkSettings
from optiq.trade.limits import Limits, StrategyLimits
from optiq.trade.sizing import Sizing
from optiq.trade.strategies import Strategy

COMMON = {"walk": WalkSettings, "limits": Limits, "charges": Broker, "sizing": Sizing}
"""The sections of every run, in the order of the fields of `Settings`."""
OTHERS = {"evening": EveningSettings}
"""Sections that no run needs but the file may have."""


def run_settings(
    names: Sequence[str],
    config: Path | None,
    overrides: Sequence[str],
    environ: Mapping[str, str] = os.environ,
) -> tuple[Settings, list[Strategy], dict[str, Any]]:
    """Return the run's settings, its strategies with their parameters, and both as resolved.

    A file may configure strategies this run does not use: those that ship or are installed.
    """
    strategies = find_all(list(names))
    known = {strategy.name: strategy for strategy in (*map(find, all_names()), *strategies)}
    own = {name: _section(strategy) for name, strategy in known.items()}
    filled = resolve({**COMMON, **OTHERS, **own}, config, overrides, environ)
    settings = Settings(*(filled[name] for name in COMMON))
    chosen = [
        replace(strategy, params=filled[strategy.name].params, limits=filled[strategy.name].limits)
        for strategy in strategies
    ]
    return settings, chosen, sections_of(settings, chosen)


def evening_settings(
    config: Path | None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> EveningSettings:
    """Return the section of the evening; the rest of the file is checked as for any run."""
    own = {name: _section(find(name)) for name in all_names()}
    filled = resolve({**COMMON, **OTHERS, **own}, config, overrides, environ)
    settings: EveningSettings = filled["evening"]
    return settings


def sections_of(settings: Settings, strategies: Sequence[Strategy]) -> dict[str, Any]:
    """Return a run's settings by section, as its ``config.toml`` keeps them."""
    common = (settings.walk, settings.limits, settings.broker, settings.sizing)
    own = {s.name: _section(s)(params=s.params, limits=s.limits) for s in strategies}
    return {**dict(zip(COMMON, common, strict=True)), **own}


def _section(strategy: Strategy) -> type[Any]:
    """Return the dataclass of a strategy's section: its parameters and the limits of its own."""
    names = {field.name for field in fields(strategy.params_type)}
    if reserved := sorted(names & {field.name for field in fields(StrategyLimits)}):
        raise StrategyError(
            f"strategy {strategy.name!r} has a parameter {reserved[0]!r}",
            "every strategy has a limit of that name; call the parameter something else",
        )
    return make_dataclass(
        f"Section of {strategy.name}",
        [
            ("params", strategy.params_type, field(default_factory=strategy.params_type)),
            ("limits", StrategyLimits, field(default_factory=StrategyLimits)),
        ],
        frozen=True,
    )
