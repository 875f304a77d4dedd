"""An audit as a person reads it: a line a check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def show_audit(screen: Console, told: Mapping[str, Any]) -> None:
    """Print what each check found; see :mod:`optiq.learn.audit` for the keys."""
    table = Table(box=None, padding=(0, 2))
    for heading in ("check", "verdict", "what was found"):
        table.add_column(heading)
    for check in told["checks"]:
        verdict = "[green]passed[/green]" if check["passed"] else "[red]FAILED[/red]"
        table.add_row(check["check"], verdict, check["says"])
    screen.print(table)
    passed = sum(check["passed"] for check in told["checks"])
    screen.print(
        f"{told['kind']} {told['version']}: {passed} of {len(told['checks'])} checks passed "
        f"in {told['elapsed_s']:.1f} s"
    )
