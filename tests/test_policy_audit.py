"""The audit of a policy names what leaks, and finds nothing where nothing does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from episode_tables import drawn, linear

from optiq.learn.audit import n_checks
from optiq.learn.policy import audit as policy_audit
from optiq.learn.policy.audit import audited, telling
from optiq.learn.policy.episode_table import EpisodeTable
from optiq.learn.policy.fit import Plan, fit_policy
from optiq.learn.policy.observed import Statistics

TABLE = drawn(linear(), 1_000, seed=1)


def with_column(values: np.ndarray) -> EpisodeTable:
    return replace(
        TABLE,
        observation=np.column_stack([TABLE.observation, values]),
        observed=(*TABLE.observed, "zz_future"),
    )


def failed(table: EpisodeTable, bundle=None) -> dict[str, str]:
    return {one.check: one.says for one in audited(table, bundle) if not one.passed}


def test_an_honest_table_passes_every_check():
    bundle = fit_policy(TABLE, Plan("ridge")).bundle
    assert failed(TABLE, bundle) == {}
    assert n_checks("policy") == len(policy_audit.CHECKS) == 6


@pytest.mark.parametrize(
    "future",
    [
        TABLE.r.argmax(axis=1).astype(float),  # who will be best
        TABLE.r[:, 3],  # what one of them will make
        np.exp(TABLE.r[:, 3]),  # the same, bent
        np.where(np.arange(1_000) % 5 == 0, np.nan, TABLE.r[:, 5]),  # with holes
    ],
    ids=["best", "one", "bent", "holes"],
)
def test_an_observation_of_the_future_is_named(future):
    said = failed(with_column(future))
    assert list(said) == ["future observation"]
    assert said["future observation"].startswith("zz_future: tells the future")


def test_a_strong_honest_observation_is_not_named():
    """A planted rule ten times as plain as any market's."""
    strong = drawn(lambda seen: 0.4 * np.sign(seen[:, :1]) * np.ones((1, 8)), 1_000, seed=3)
    assert telling(strong)["x0"] < policy_audit.TOO_TELLING
    assert telling(strong)["x0"] > 0.15


def test_a_scaler_that_has_seen_other_rows_is_found():
    bundle = fit_policy(TABLE, Plan("ridge")).bundle
    about = replace(bundle.about, statistics=Statistics.of(TABLE.observation[:900]))
    assert list(failed(TABLE, replace(bundle, about=about))) == ["fit scope"]


def test_decisions_that_come_twice_are_found():
    twice = TABLE.observation.copy(), TABLE.r.copy()
    for values in twice:
        values[-100:] = values[:100]
    observation, r = twice
    assert "duplicates" in failed(replace(TABLE, observation=observation, r=r))
