"""Walk forward by session: fit on the sessions before, and ask everybody about those after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optiq.errors import EvidenceError
from optiq.learn.measured import Evidence, Measured, pooled
from optiq.learn.policy.bundle import Bundle, bundle_of
from optiq.learn.policy.demands import demands, figures_of, reasons
from optiq.learn.policy.episode_table import EpisodeTable
from optiq.learn.policy.fit import Advance, Made, Plan, fit_policy
from optiq.learn.policy.results import Results, joined, results_of
from optiq.learn.policy.sac import NOWHERE, Places
from optiq.learn.revision import code_revision
from optiq.learn.splits import Fold, fitted_until, walk_forward
from optiq.learn.version_folder import files_sha256
from optiq.market.schema import IntArray

FEWEST_SESSIONS = 4
"""To learn from two, leave one out and test on one."""


@dataclass(frozen=True)
class Evaluation:
    """What the folds said: figures by whose they are, whether all demands are met, and why not."""

    figures: Mapping[str, list[Measured]]
    results: Results
    evidence: Evidence
    would_pass: bool
    reasons: tuple[str, ...]
    how: str

    @property
    def daily(self) -> dict[str, float]:
        """The net R of each tested session of the one that counts, by ISO date."""
        days = np.unique(self.results.session).astype(str).tolist()
        made = self.results.daily(self.results.made[self.results.worst])
        return dict(zip(days, made.tolist(), strict=True))


def folds_of(table: EpisodeTable, n_folds: int) -> tuple[list[Fold], str]:
    """Return the folds these sessions allow, and in words how they were made."""
    n = len(table.sessions)
    if n < FEWEST_SESSIONS:
        raise EvidenceError(
            f"{n} session{'s' * (n != 1)} of episodes: nothing can be tested on sessions unseen",
            f"{FEWEST_SESSIONS} are the fewest: optiq episodes build",
        )
    folds = walk_forward(table.session, table.end, table.ts, n_folds=max(1, min(n_folds, n // 4)))
    return folds, (
        f"walk-forward by session, {len(folds)} fold{'s' * (len(folds) > 1)}, "
        "purged by the latest exit, 1 session of embargo"
    )


def n_steps(table: EpisodeTable, plan: Plan) -> int:
    """Return how many steps an evaluation takes, for a progress bar."""
    return len(folds_of(table, plan.folds)[0]) * plan.steps


def evaluate(
    table: EpisodeTable,
    plan: Plan,
    champion: Bundle | None = None,
    places: Places = NOWHERE,
    advance: Advance = lambda _: None,
) -> Evaluation:
    """Fit the plan fold by fold and return what everybody made of the sessions after each fit.

    ``champion`` must have seen none of the tested sessions (`tested_sessions`).
    """
    folds, how = folds_of(table, plan.folds)
    parts = []
    for number, fold in enumerate(folds):
        made = fit_policy(
            table.take(learnt(fold)), plan, replace(places, tensorboard=None), advance
        )
        found = results_of(made.bundle, table.take(fold.test), champion)
        parts.append((found, _evidence(table, fold, made, f"fold {number + 1}: {how}", plan)))
    results = joined([found for found, _ in parts])
    evidence = pooled([one for _, one in parts], how)
    asked = demands(results, results.worst)
    return Evaluation(
        figures_of(results, evidence),
        results,
        evidence,
        all(one.met for one in asked),
        reasons(results, asked),
        how,
    )


def learnt(fold: Fold) -> IntArray:
    """Return the rows a fold may fit on: a policy needs none for calibration."""
    return np.sort(np.concatenate([fold.train, fold.calibrate]))


def first_tested(table: EpisodeTable, plan: Plan) -> Any:
    """Return the first session that any fold tests."""
    folds, _ = folds_of(table, plan.folds)
    return min(table.session[fold.test].min() for fold in folds)


def _evidence(table: EpisodeTable, fold: Fold, made: Made, split: str, plan: Plan) -> Evidence:
    days = np.unique(table.session[fold.test])
    return Evidence(
        split=split,
        rows=len(fold.test),
        sessions=len(days),
        first=days[0].item(),
        last=days[-1].item(),
        fitted_until=fitted_until(fold, table.end),
        tested_from=np.datetime64(table.ts[fold.test].min()),
        data_sha256=table.sha256,
        model_sha256=files_sha256(bundle_of(plan.chooser, made.fitted, made.about)),
        code=code_revision(),
    )
