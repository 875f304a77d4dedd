"""What an evaluation has shown and what it has not, in plain sentences."""

from __future__ import annotations

from optiq.learn.measured import bounds_in_words
from optiq.learn.policy.demands import NET, demands
from optiq.learn.policy.episode_table import EpisodeTable
from optiq.learn.policy.evaluation import Evaluation
from optiq.learn.policy.training import counts_of, is_enough


def shown(found: Evaluation) -> list[str]:
    """Return what was measured, and every demand that was met."""
    results, evidence = found.results, found.evidence
    own = next(one for one in found.figures[results.worst] if one.metric == NET).interval
    first = (
        f"over {evidence.rows:,} decisions of {evidence.sessions} sessions it had not learnt from, "
        f"{results.worst} made {own.value:+.4f} R a decision ({bounds_in_words(own, 4)})"
    )
    asked = demands(results, results.worst)
    met = [one for one in asked if one.met and one.interval.is_known]
    return [first, *(f"{one.metric}: at least {one.interval.low:+.4f}" for one in met)]


def not_shown(table: EpisodeTable, found: Evaluation) -> list[str]:
    """Return every demand that was not met, and that there was too little to learn from."""
    unmet = [one.unmet for one in demands(found.results, found.results.worst) if not one.met]
    return [*unmet, *([] if is_enough(table) else [f"too few to learn from: {counts_of(table)}"])]
