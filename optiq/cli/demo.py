"""``optiq demo``: from nothing to a backtest whose outcome is known beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optiq.cli.options import JsonOption

if TYPE_CHECKING:
    from optiq.run.backtest import Settings
    from optiq.trade.strategies import Strategy

FolderOption = Annotated[Path, typer.Option("--folder", help="Where markets and runs go.")]
DaysOption = Annotated[int, typer.Option("--days", help="Sessions of each market.", min=1)]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed, the same markets.", min=0)]


def demo(
    folder: FolderOption = Path("data/demo"),
    days: DaysOption = 40,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Simulate two markets, backtest three strategies on both, and say what the difference means.

    Nothing in it is recorded or real; it shows what the tool does and what charges do.
    """
    from optiq.cli.config import resolved_toml
    from optiq.cli.output import emit, progress
    from optiq.cli.settings import sections_of
    from optiq.report.story import show_demo
    from optiq.run.demo import MARKETS, demonstrate

    def describe(strategy: Strategy, settings: Settings) -> str:
        return resolved_toml(sections_of(settings, [strategy]))

    steps = len(MARKETS) * (days + 3)
    with progress("Simulating and backtesting", total=steps, unit="steps", quiet=as_json) as step:
        story = demonstrate(folder, days, seed, describe, step)
    emit(story, as_json=as_json, show=lambda screen: show_demo(screen, story))
