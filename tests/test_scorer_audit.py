"""The audit for leaks: an honest scorer passes, and each leak is caught by its own check."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scored_market import market, models_in, run, trained

from optiq.learn import audit, ledger_file, registry
from optiq.learn.scorer.audit import (
    PLANT,
    Subject,
    duplicates,
    fit_scope,
    permuted,
    planted,
    suspects,
    truncation,
    within_sessions,
)
from optiq.learn.scorer.audit import subject as subject_of
from optiq.learn.scorer.fit import NAMES


@pytest.fixture(scope="module")
def asked() -> Subject:
    return subject_of(market(), registry.load(trained(), "scorer", "1.0.0"), 0)


def with_features(asked: Subject, features: np.ndarray) -> Subject:
    return replace(asked, data=replace(asked.data, features=features))


def test_an_honest_scorer_passes_its_audit_and_the_finding_is_kept(tmp_path, capsys):
    models = models_in(tmp_path)
    status, told = run(capsys, "audit", models, "scorer", "1.0.0")
    assert [check["check"] for check in told["checks"]] == [
        *("truncation", "permuted labels", "planted future", "fit scope", "duplicates"),
        *("warm-up", "shifted", "random walk"),
    ]
    assert (status, told["passed"]) == (0, True), told["checks"]
    stored = registry.load(models, "scorer", "1.0.0")
    kept = audit.latest(models, stored)
    assert kept is not None
    assert [one.to_json() for one in kept] == told["checks"]
    assert audit.faults(models, market().root, stored) == []


def test_a_failed_check_is_a_reason_of_the_gate(tmp_path):
    models = models_in(tmp_path)
    stored = registry.load(models, "scorer", "1.0.0")
    entry = {"check": "duplicates", "passed": False, "says": "7 rows", "numbers": {}}
    line = {"version": "1.0.0", "model_sha256": stored.model_sha256, "checks": [entry]}
    ledger_file.append(models / "scorer" / audit.AUDITS, line)
    assert audit.faults(models, market().root, stored) == ["audit: duplicates: 7 rows"]


def test_a_scorer_audited_on_another_store_is_refused_in_one_line(tmp_path, capsys):
    models = models_in(tmp_path)
    status, said = run(capsys, "audit", models, "scorer", "1.0.0", "--store", str(tmp_path))
    assert (status, said["ok"]) == (4, False)


def test_a_feature_that_knows_the_outcome_is_caught_by_name(asked):
    features = asked.data.features.copy()
    features[:, NAMES.index("volume_z")] = asked.data.net_pnl
    leaky = with_features(asked, features)
    _, says, numbers = planted(leaky)
    assert numbers["found_planted"]
    assert "volume_z" in says
    assert PLANT not in numbers["suspects"]
    many = replace(leaky.data, session=leaky.data.ts.astype("datetime64[h]"))
    passed, says, _ = planted(replace(leaky, data=many))
    assert not passed  # four sessions only raise a doubt; this many do not
    assert "volume_z" in says


def test_what_carries_a_model_alone_is_suspected_only_if_it_ranks(asked):
    data, rng = asked.data, np.random.default_rng(0)
    some = np.where(data.won, rng.random(len(data)) + 0.25, rng.random(len(data)))
    columns = {"some": some, "none": rng.random(len(data))}
    assert suspects(columns, data, {"some": 0.6, "none": 0.6}) == ["some"]
    assert suspects(columns, data, {"some": 0.4, "none": 0.4}) == []


def test_pairs_are_counted_within_sessions():
    values = np.array([1.0, 2.0, 9.0, 8.0, np.nan])
    won = np.array([False, True, False, True, True])
    session = np.array([0, 0, 1, 1, 1])
    assert within_sessions(values, won, session) == 0.5  # of two pairs one is right
    assert within_sessions(values, ~won, np.arange(5)) == 0.5  # no session has both


def test_rows_that_are_learnt_from_and_tested_are_counted(asked):
    fold, features = asked.folds[-1], asked.data.features.copy()
    features[fold.test[:3]] = features[fold.train[:3]]
    passed, _, numbers = duplicates(with_features(asked, features))
    assert (passed, numbers["duplicates"]) == (False, 3)


def test_a_fit_that_sees_the_rows_to_test_on_is_found_out(asked):
    peeking = replace(asked)
    peeking.__dict__["folds"] = [
        replace(fold, train=np.union1d(fold.train, fold.test)) for fold in asked.folds
    ]
    assert not duplicates(peeking)[0]
    assert not permuted(peeking)[0]


def test_a_model_that_changes_with_the_rows_to_test_on_is_found_out(asked):
    overlapping = replace(asked)
    first = asked.folds[0]
    overlapping.__dict__["folds"] = [replace(first, test=first.train)]
    assert fit_scope(asked)[0]
    assert not fit_scope(overlapping)[0]


def test_a_scorer_that_looks_ahead_is_found_out(asked):
    def boastful(features, _=None):
        return np.full(len(features), len(features) / 1000.0)  # how many rows the day has

    cheating = replace(asked)
    object.__setattr__(cheating, "model", _Cheat(asked.model, boastful))
    passed, says, _ = truncation(cheating)
    assert not passed
    assert "scorer" in says


class _Cheat:
    """A model whose scores depend on how much of the day it is shown."""

    def __init__(self, model, chance) -> None:
        self.question, self.require, self.score = model.question, model.require, chance
