"""``optiq audit``: try to make the leaks of a model or a strategy show themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optiq.cli.options import (
    MODELS,
    STORE,
    ConfigOption,
    JsonOption,
    ModelsOption,
    SeedOption,
    StoreOption,
    UnderlyingOption,
)

if TYPE_CHECKING:
    from optiq.learn.audit import Finding

Advance = Callable[[int], None]
STRATEGY = "strategy"


def audit(
    kind: Annotated[
        str, typer.Argument(help="A kind of model, such as scorer or direction; or strategy.")
    ] = "scorer",
    what: Annotated[
        str,
        typer.Argument(
            metavar="VERSION|NAME|FILE",
            help="A version, champion or candidate; of strategies a name or a Python file.",
        ),
    ] = "candidate",
    seed: SeedOption = 0,
    underlying: UnderlyingOption = "NIFTY",
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Audit a stored model or a strategy for leaks: one verdict a check, with its numbers.

    Days are cut and asked again, a longer past is put before them, features or orders are moved in
    time, and a market without an edge goes through all of it. Of a model, labels are shuffled, a
    future column is planted and looked for, and unseen rows are changed beyond recognition; what
    is found is kept beside the versions, where the gate reads it. The exit status is 3 when a
    check fails.
    """
    from optiq.cli.output import emit, progress
    from optiq.errors import DamagedError
    from optiq.learn import audit as audits
    from optiq.report.audit_table import show_audit

    started = time.perf_counter()
    total = audits.n_checks(kind)
    with progress("Auditing", total=total, unit="checks", quiet=as_json) as advance:
        if kind == STRATEGY:
            name, found = _of_strategy(what, config, store, underlying, seed, advance)
        else:
            name, found = _of_model(kind, what, models, store, seed, advance)
    failed = [one.check for one in found if not one.passed]
    told = {
        "kind": kind,
        "version": name,
        "passed": not failed,
        "checks": [one.to_json() for one in found],
        "elapsed_s": round(time.perf_counter() - started, 3),
    }
    if failed and as_json:
        _refuse(told, failed)
    emit(told, as_json=as_json, show=lambda screen: show_audit(screen, told))
    if failed:
        hint = (
            "see what it says of which row; optiq strategies check tries every day"
            if kind == STRATEGY
            else "it cannot be promoted; mend what leaks and train again"
        )
        raise DamagedError(f"{kind} {name} failed its audit: {', '.join(failed)}", hint)


def _of_model(
    kind: str, version: str, models: Path, store: Path, seed: int, advance: Advance
) -> tuple[str, list[Finding]]:
    from optiq.learn import audit as audits
    from optiq.learn import registry

    stored = registry.load(models, kind, version)
    found = audits.run(Path(models), Path(store), stored, seed=seed, advance=advance)
    return stored.version, found


def _of_strategy(
    name: str, config: Path | None, store: Path, underlying: str, seed: int, advance: Advance
) -> tuple[str, list[Finding]]:
    from optiq.cli.settings import run_settings
    from optiq.errors import InputError
    from optiq.learn import audit as audits
    from optiq.learn import strategy_audit
    from optiq.market.store import Store

    settings, strategies, _ = run_settings([name], config, [])
    if len(strategies) != 1:
        raise InputError(f"{len(strategies)} strategies to audit", "give one at a time")
    (strategy,) = strategies
    asked = strategy_audit.subject(strategy, Store(store), underlying, settings, seed)
    with asked as subject:
        return strategy.name, audits.asked(strategy_audit.CHECKS, subject, advance)


def _refuse(told: dict[str, Any], failed: list[str]) -> None:
    from optiq.cli.output import write_json
    from optiq.errors import DamagedError

    error = {"code": "damaged", "message": f"failed: {', '.join(failed)}", "hint": ""}
    write_json({"ok": False, "error": error, **told})
    raise typer.Exit(DamagedError.exit_code)
