"""Who looks on while a paper session runs: lines or a screen, alerts, a sign of life."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from optiq.market.feeds.clocks import Clock
    from optiq.run.alerts import Alerts
    from optiq.run.exploring import Progress
    from optiq.run.paper import PaperSession, Watcher

LAST_PATIENCE_S = 5.0
"""How long a session that ended by itself waits for its alerts."""
HURRIED_PATIENCE_S = 0.5
"""And one that a signal or an error ended."""

PlainOption = Annotated[
    bool, typer.Option("--plain", help="Plain lines on a terminal too, instead of the screen.")
]
FlattenOption = Annotated[
    bool,
    typer.Option(
        "--flatten",
        help="On Ctrl-C or SIGTERM leave all positions first; that ends the session.",
    ),
]
AlertOption = Annotated[
    list[str] | None,
    typer.Option(
        "--alert",
        metavar="exec:COMMAND|webhook:URL",
        help="Whom to tell of entries, exits, faults, limits and the end; webhook:env:NAME "
        "takes the address from a variable. May be repeated.",
    ),
]
AlertOnOption = Annotated[
    str | None,
    typer.Option("--alert-on", metavar="KIND,...", help="Only these: entry,exit,fault,limit,end."),
]


@dataclass(frozen=True)
class Looks:
    """How a session is shown: its title, whose clock and policy, and in what form."""

    title: str
    policy: str
    exploring: Progress | None
    clock: Clock | None
    stale_after: float
    as_json: bool
    plain: bool

    @property
    def on_screen(self) -> bool:
        """Whether there is a terminal that can be drawn on, and nobody asked for lines."""
        from optiq.cli.output import console

        able = sys.stdout.isatty() and not console().is_dumb_terminal
        return able and not (self.as_json or self.plain)


def alerts_of(targets: Sequence[str], kinds: str | None) -> Alerts:
    """Return the alerts that the options ask for; what makes no sense is an InputError."""
    from optiq.errors import InputError
    from optiq.run.alerts import KINDS, Alerts, target_of

    if kinds is not None and not targets:
        raise InputError("--alert-on without --alert", "say whom to tell")
    wanted = KINDS if kinds is None else [kind.strip() for kind in kinds.split(",")]
    return Alerts([target_of(target, beside=targets) for target in targets], wanted)


@contextmanager
def watched(
    paper: PaperSession, folder: Path, looks: Looks, alerts: Alerts
) -> Iterator[list[Watcher]]:
    """Yield who is to be told of each row; what could not be told is warned about at the end."""
    from optiq.cli.output import warn
    from optiq.market.feeds.clocks import system_clock
    from optiq.report.paper_alerts import PaperAlerts
    from optiq.run.heartbeat import Heartbeat
    from optiq.run.supervisor import Supervisor

    heart = Heartbeat(paper, folder, looks.clock or system_clock(), Supervisor())

    def troubles() -> list[str]:
        skipped = [f"{heart.failures} heartbeats not written"] if heart.failures else []
        return [*alerts.troubles(), *skipped]

    is_sound = False
    try:
        with ExitStack() as shown:
            teller = _teller(paper, looks, troubles, shown)
            yield [teller, heart, PaperAlerts(paper, folder.name, alerts)]
        is_sound = True
    finally:
        alerts.close(LAST_PATIENCE_S if is_sound else HURRIED_PATIENCE_S)
        for trouble in troubles():
            warn(trouble)


def _teller(
    paper: PaperSession, looks: Looks, troubles: Callable[[], list[str]], shown: ExitStack
) -> Watcher:
    """Return the screen or the lines; the screen is gone once ``shown`` is left."""
    from optiq.cli.output import console
    from optiq.report.paper_lines import PaperLines
    from optiq.report.paper_screen import PaperScreen

    if paper.is_over or not looks.on_screen:
        lines = PaperLines(as_json=looks.as_json)
        lines.begin(paper)
        return lines
    screen = PaperScreen(
        paper,
        looks.title,
        console(),
        policy=looks.policy,
        exploring=looks.exploring,
        clock=looks.clock,
        stale_after=looks.stale_after,
        troubles=troubles,
    )
    return shown.enter_context(screen)
