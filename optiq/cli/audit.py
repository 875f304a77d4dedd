"""``optiq audit``: try to make a model's leaks show themselves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from optiq.cli.options import (
    MODELS,
    STORE,
    ConfigOption,
    JsonOption,
    ModelsOption,
    SeedOption,
    StoreOption,
)


def audit(
    kind: Annotated[str, typer.Argument(help="scorer or direction.")] = "scorer",
    version: Annotated[str, typer.Argument(help="A version, champion or candidate.")] = "candidate",
    seed: SeedOption = 0,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Audit a stored model for leaks: one verdict a check, with its numbers.

    Days are cut and asked again, labels shuffled, a future column planted and looked for, and
    unseen rows changed beyond recognition. What is found is kept beside the versions, where the
    gate reads it. The exit status is 3 when a check fails.
    """
    from optiq.cli.output import emit, progress
    from optiq.errors import DamagedError
    from optiq.learn import audit as audits
    from optiq.learn import registry
    from optiq.report.audit_table import show_audit

    started = time.perf_counter()
    stored = registry.load(models, kind, version)
    total = audits.n_checks(kind)
    with progress("Auditing", total=total, unit="checks", quiet=as_json) as advance:
        found = audits.run(Path(models), Path(store), stored, seed=seed, advance=advance)
    failed = [one.check for one in found if not one.passed]
    told = {
        "kind": kind,
        "version": stored.version,
        "passed": not failed,
        "checks": [one.to_json() for one in found],
        "elapsed_s": round(time.perf_counter() - started, 3),
    }
    if failed and as_json:
        from optiq.cli.output import write_json

        error = {"code": "damaged", "message": f"failed: {', '.join(failed)}", "hint": ""}
        write_json({"ok": False, "error": error, **told})
        raise typer.Exit(DamagedError.exit_code)
    emit(told, as_json=as_json, show=lambda screen: show_audit(screen, told))
    if failed:
        raise DamagedError(
            f"{kind} {stored.version} failed its audit: {', '.join(failed)}",
            "it cannot be promoted; mend what leaks and train again",
        )
