"""A trained scorer's figures beside its baselines', each with its evidence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optiq.learn.revision import code_revision
from optiq.learn.scorer.baselines import Champion, moneyness_chance
from optiq.learn.scorer.metrics import (
    Scored,
    auc_within_a_session,
    buying_everything,
    deciles,
    figures,
    reliability,
    top_rows,
)
from optiq.learn.scorer.training import FoldResult, Result, scored, tested_rows
from optiq.learn.validate import Evidence, Measured, pooled
from optiq.market.schema import IntArray

WITHIN_A_SESSION = "AUC within one session"


@dataclass(frozen=True)
class Worth:
    """What was measured out of sample.

    ``baselines`` by name; ``why_no_champion`` says why the serving scorer is not among them.
    ``daily`` is what each tested session's ten highest came to together, rupees net, by ISO date.
    """

    figures: list[Measured]
    baselines: Mapping[str, list[Measured]]
    tables: Mapping[str, Any]
    why_no_champion: str
    daily: Mapping[str, float]


def measure(result: Result, champion: Champion | None, why_not: str = "") -> Worth:
    """Return the worth of a scorer: all figures from rows its models had not seen."""
    tested = scored(result)
    evidence = _evidence(result)
    baselines = {
        "buying everything": buying_everything(tested, evidence),
        "moneyness alone": figures(_by_moneyness(result, tested), evidence),
    }
    if champion is not None:
        same = _by_champion(result, tested, champion)
        why_not = "" if same else f"the champion {champion.version} has seen these sessions"
        if same:
            baselines[f"champion {champion.version}"] = figures(*same)
    proof = evidence.to_json()
    tables = {
        "reliability": {"evidence": proof, "rows": reliability(tested)},
        "deciles": {"evidence": proof, "rows": deciles(tested)},
    }
    found = [*figures(tested, evidence), *_within_a_session(result, tested, evidence)]
    return Worth(found, baselines, tables, why_not, _daily(result, tested))


def _within_a_session(result: Result, tested: Scored, evidence: Evidence) -> list[Measured]:
    """Return the one figure of a single session that has bounds, under a name of its own."""
    if tested.n_sessions > 1:
        return []
    known = ~np.isnan(tested.chance)
    if not known.any():
        return []
    within = auc_within_a_session(tested.take(known), result.data.ts[tested_rows(result)][known])
    return [] if np.isnan(within.value) else [Measured(WITHIN_A_SESSION, within, evidence)]


def _daily(result: Result, tested: Scored) -> dict[str, float]:
    sessions = np.unique(result.data.session[tested_rows(result)]).tolist()
    top = tested.take(top_rows(tested))
    return dict(zip(map(str, sessions), top.per_session(top.net_pnl).tolist(), strict=True))


def _evidence(result: Result) -> Evidence:
    return pooled([_fold_evidence(result, one) for one in result.folds], result.split)


def _fold_evidence(result: Result, one: FoldResult) -> Evidence:
    rows = one.fold.test
    return _on_rows(result, rows, one.fitted_until, one.model.sha256, result.split)


def _on_rows(
    result: Result, rows: IntArray, fitted_until: np.datetime64, model: str, split: str
) -> Evidence:
    sessions = np.unique(result.data.session[rows])
    return Evidence(
        split=split,
        rows=len(rows),
        sessions=len(sessions),
        first=_date(sessions[0]),
        last=_date(sessions[-1]),
        fitted_until=fitted_until,
        tested_from=np.datetime64(result.data.ts[rows].min()),
        data_sha256=result.data.sha256,
        model_sha256=model,
        code=code_revision(),
    )


def _by_moneyness(result: Result, tested: Scored) -> Scored:
    chances = [moneyness_chance(result.data, one.fold) for one in result.folds]
    chance = np.concatenate(chances)
    return replace(tested, chance=chance, margin=chance)


def _by_champion(
    result: Result, tested: Scored, champion: Champion
) -> tuple[Scored, Evidence] | None:
    """Return the tested rows of sessions the champion has not seen, scored by it."""
    rows = np.concatenate([one.fold.test for one in result.folds])
    new = champion.unseen(result.data, rows)
    if not len(new):
        return None
    features = result.data.features[new]
    margin = champion.model.margin(features)
    part = tested.take(np.isin(rows, new))
    sessions, number = np.unique(part.session, return_inverse=True)
    chance = champion.model.chance_of(margin, features)
    by_champion = replace(
        part, chance=chance, margin=margin, session=number, n_sessions=len(sessions)
    )
    evidence = _on_rows(
        result, new, champion.fitted_until(), champion.sha256, "sessions after its own"
    )
    return by_champion, evidence


def _date(session: np.datetime64) -> dt.date:
    day: dt.date = session.astype("datetime64[D]").item()
    return day
