"""``optiq parity``: prove that a paper session was the backtest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optiq.cli.options import (
    MODELS,
    STORE,
    ConfigOption,
    JsonOption,
    ModelsOption,
    StoreOption,
)


def parity(
    session: Annotated[str, typer.Argument(help="A session's name.")],
    run: Annotated[
        Path | None, typer.Argument(help="A backtest's folder to compare with as well.")
    ] = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Walk a session's journaled rows again, row by row and all at once, and compare.

    Zero mismatches, or exit 3 with the first row or trade that differs and both states.
    """
    from optiq.cli.output import emit
    from optiq.cli.settings import run_settings
    from optiq.learn.direction.serving import NONE, direction_named
    from optiq.learn.policy.served import policy_named, served_by
    from optiq.learn.scorer.served import scorer_named
    from optiq.run.parity import prove
    from optiq.run.sessions import CONFIG, FOLDER, Ensemble, read_session

    stored = read_session(store / FOLDER / session)
    settings, strategies, _ = run_settings(list(stored.plan.strategies), stored.folder / CONFIG, [])
    plan = stored.plan
    model = direction_named(models, plan.direction or NONE)
    day, name = [plan.date], plan.scorer or None
    policy = (models, plan.policy or None, strategies, plan.seed, day, plan.underlying)
    chooser = policy_named(*policy, in_sample=True)
    scorer = scorer_named(models, name, day, plan.underlying, in_sample=True)
    for one in filter(None, (scorer, model, served_by(chooser))):
        one.require_manifest(plan.date, plan.manifests.get(one.kind, ""))
    team = Ensemble(settings, strategies, scorer, chooser, model)
    result = prove(stored, team, run)
    chosen = f"{result['choices']:,} choices, " if result["choices"] else ""
    emit(
        result,
        as_json=as_json,
        show=lambda screen: screen.print(
            f"{result['session']}: {result['rows']:,} rows, {result['decisions']:,} decisions, "
            f"{chosen}{result['trades']:,} trades, [green]0 mismatches[/green]"
        ),
    )
