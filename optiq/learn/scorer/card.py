"""What a scorer's card says: where it comes from, what it is worth, what it is not for."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from optiq.learn import registry
from optiq.learn.dataset import Recipe
from optiq.learn.labels import exit_rule
from optiq.learn.revision import code_revision
from optiq.learn.scorer.calibration import AS_IT_IS
from optiq.learn.scorer.fit import NAMES
from optiq.learn.scorer.measure import Worth
from optiq.learn.scorer.training import Plan, Result, importance, tested_rows
from optiq.market.schema import TimeArray

INTENDED_USE = (
    "Ranks and filters purchases of single index options that one exit rule will close. It says "
    "nothing of sold options, packages or other exits."
)
LIMITS = (
    "Fills are simulated at recorded quotes: no queue, no market impact, one lot.",
    "The figures are those of models trained the same way on earlier sessions; the model stored "
    "here was fitted afterwards on all sessions but the locked ones, and is not measured itself.",
    "Rows of one session share its path: what counts is how many sessions, not how many rows.",
    "Learnt from the regimes of its own sessions; a new lot size, expiry day or tick is unknown "
    "to it.",
)


def card_of(result: Result, worth: Worth, recipe: Recipe, plan: Plan) -> dict[str, Any]:
    """Return the card of a trained scorer as plain JSON, but for what the registry adds."""
    data, last = result.data, result.last
    sessions: TimeArray = np.unique(data.session)
    tested = tested_rows(result)
    return {
        "underlyings": sorted(set(data.underlying.tolist())),
        "sessions": {"first": str(sessions[0]), "last": str(sessions[-1]), "n": len(sessions)},
        "seen_until": str(sessions[-1]),
        "features": list(NAMES),
        "features_hash": registry.features_hash(NAMES),
        "label": label_in_words(recipe),
        "splits": (
            f"{result.split}; calibrated ({result.model.calibration.kind}) on the last fifth of "
            "what each fold learns from"
        ),
        "lockbox": [str(day) for day in result.locked],
        "recipe": recipe.to_json(),
        "share_of_winners": round(float(data.won.mean()), 4),
        "rows": {
            "train": len(last.train),
            "calibrate": len(last.calibrate),
            "tested out of sample": len(tested),
            "without a label": dict(data.dropped),
            "moments": "all" if data.every == 1 else f"one in {data.every} of each session",
        },
        "figures": [one.to_json() for one in worth.figures],
        "baselines": {n: [one.to_json() for one in m] for n, m in worth.baselines.items()},
        "champion": worth.why_no_champion or "among the baselines",
        "tables": dict(worth.tables),
        "importance": [
            {"feature": name, "share": share}
            for name, share in importance(result.model, data.features[last.train]).items()
        ],
        "fit": {**asdict(replace(plan.fit, seed=plan.seed)), "trees": trees_of(result)},
        "trials": {"fits": len(result.fits), "settings": len(plan.settings())},
        "audit": [],
        "limits": [*LIMITS, *notes(result, worth)],
        "intended_use": INTENDED_USE,
        "hashes": {"data": data.sha256, "code": code_revision(), "recipe": recipe.sha256},
    }


def label_in_words(recipe: Recipe) -> str:
    """Return what a row's label is, with its exit rule and the settings of the walk."""
    exits = ", ".join(
        f"{name.replace('_', ' ')} {at:g}"
        for name, at in asdict(exit_rule(recipe.strategy)).items()
        if not np.isnan(at)
    )
    walk = ", ".join(f"{name} {value:g}" for name, value in asdict(recipe.settings.walk).items())
    return (
        f"net P&L > 0 after charges from buying one lot alone, left by the rule of "
        f"{recipe.strategy.name} ({exits}); walk: {walk}"
    )


def trees_of(result: Result) -> int:
    """Return how many trees the model that is to serve has."""
    return result.model.booster.num_trees()


def in_plain_words(worth: Worth) -> str:
    """Return what the figures say of the chances, in one sentence."""
    skill = next(one.interval for one in worth.figures if one.metric == "Brier skill")
    if not skill.is_known:
        return f"Whether it beats the base rate is not known ({skill.note})."
    if skill.high < 0:
        return "Out of sample its chances are worse than always stating the base rate."
    if skill.low <= 0:
        return "Out of sample its chances are not shown to beat always stating the base rate."
    return "Out of sample its chances beat always stating the base rate."


def notes(result: Result, worth: Worth) -> list[str]:
    """Return what a reader of the figures must know first."""
    data, said = result.data, [in_plain_words(worth)]
    n_sessions = len(np.unique(data.session))
    if n_sessions == 1:
        said.append("1 session: no interval. All rows share one path; this is one observation.")
    elif len(result.folds) and n_sessions < 20:
        said.append(f"{n_sessions} sessions: a regime or two at most.")
    if AS_IT_IS in [result.model.calibration, *(one.model.calibration for one in result.folds)]:
        said.append("Too little to calibrate on: chances are the trees' own, and may be far off.")
    dropped = sum(data.dropped.values())
    share = dropped / max(1, dropped + len(data) * data.every)
    if share > 0.05:
        said.append(
            f"{100 * share:.0f} % of the purchases have no label (never filled, or still open at "
            "the recording's last row): those that resolve late are missing."
        )
    if (data.entry_ts == data.ts).all():
        said.append("Orders fill on the very quote that decided them (walk.latency_s = 0).")
    return said
