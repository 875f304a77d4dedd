"""What a policy's card says: where it comes from, what it is worth, what it is not for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optiq.learn.measured import Measured
from optiq.learn.policy.episode_table import EpisodeTable
from optiq.learn.policy.evaluation import Evaluation
from optiq.learn.policy.fit import Plan
from optiq.learn.registry import features_hash
from optiq.learn.revision import code_revision

INTENDED_USE = (
    "Chooses every five minutes which of the built-in strategies may trade next, or none, in "
    "backtests and on paper."
)
LIMITS = (
    "Results are shadow results: each strategy's next order walked alone, one lot, without limits; "
    "a backtest with limits and a shared book comes to something else.",
    "The figures are those of policies fitted the same way on earlier sessions; the one stored "
    "here was fitted afterwards on all sessions but the locked ones, and is not measured itself.",
    "Decisions of one session share its path: what counts is how many sessions, not decisions.",
    "Learnt from the regimes of its own sessions.",
)


def card_of(
    table: EpisodeTable,
    plan: Plan,
    rewards: str,
    found: Evaluation,
    locked: Sequence[str],
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the card as plain JSON, but for what the registry, audit and trials add."""
    days = table.sessions.astype(str).tolist()
    return {
        "underlyings": list(table.underlyings),
        "sessions": {"first": days[0], "last": days[-1], "n": len(days)},
        "seen_until": days[-1],
        "lockbox": list(locked),
        "features": list(table.observed),
        "features_hash": features_hash(table.observed),
        "label": (
            "what each strategy's first order within five minutes came to alone, net of charges, "
            "in units of what its stop risks (R); 0 without an order"
        ),
        "strategies": list(table.strategies),
        "chooser": plan.chooser,
        "settings": {**plan.told(), "rewards_chosen": rewards},
        "walk_hash": table.walk_hash,
        "feature_meaning": table.feature_hash,
        "splits": found.how,
        "rows": {"decisions": len(table), "tested out of sample": found.evidence.rows},
        "figures_of": found.results.worst,
        "figures": _plain(found.figures[found.results.worst]),
        "baselines": {
            name: _plain(figures)
            for name, figures in found.figures.items()
            if name != found.results.worst
        },
        "tables": {
            "choices": {"evidence": found.evidence.to_json(), "rows": found.results.choices()}
        },
        "would_pass": found.would_pass,
        "reasons": list(found.reasons),
        "limits": [*LIMITS, *notes],
        "intended_use": INTENDED_USE,
        "hashes": {"data": table.sha256, "code": code_revision()},
    }


def _plain(figures: Sequence[Measured]) -> list[Mapping[str, Any]]:
    return [figure.to_json() for figure in figures]
