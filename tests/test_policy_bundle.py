"""A stored policy chooses as the fitted one did, and what was tampered with is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from episode_tables import drawn, linear

from optiq.errors import DamagedError
from optiq.learn.policy.bundle import OBSERVED_FILE, About, Fitted, bundle_of, read_bundle
from optiq.learn.policy.choosers import RIDGE, SAC, TREES, Ridge, Single, Trees
from optiq.learn.policy.sac import Training, train_actor

TABLE = drawn(linear(), 300, seed=5)
TABLE = replace(TABLE, mask=TABLE.mask & (np.arange(8) != 6), r=TABLE.r)
SEEN = np.vstack([TABLE.observation[:40], np.full((1, 12), np.nan)])


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    ridge = Ridge.fitted(TABLE)
    short = Training(timesteps=20)
    states = [train_actor(TABLE, TABLE.r, ridge.statistics, short, seed) for seed in (0, 1)]
    return Fitted(ridge, Trees.fitted(TABLE), Single.best(TABLE), tuple(states))


def stored(fitted: Fitted, chooser: str = SAC, cost: float = 0.0) -> dict[str, bytes]:
    parts = fitted if chooser == SAC else replace(fitted, states=())
    return bundle_of(chooser, parts, About.of(TABLE, fitted.ridge, cost))


@pytest.mark.parametrize("chooser", [SAC, RIDGE, TREES])
def test_a_stored_policy_prefers_what_the_fitted_one_did(fitted, chooser):
    bundle = read_bundle(stored(fitted, chooser), features="features")
    assert bundle.name == chooser
    assert bundle.about.strategies == TABLE.strategies
    assert not bundle.remembers
    said = bundle.preferences(SEEN)
    assert np.isnan(said[:, 6]).all(), "one that was never possible is not known"
    assert np.isfinite(np.delete(said, 6, axis=1)).all()
    if chooser == SAC:
        each = [actor.preferences(SEEN) for actor in bundle.speaks.actors]
        assert np.array_equal(said, np.mean(each, axis=0), equal_nan=True)
        assert not np.allclose(each[0], each[1], equal_nan=True)
    else:
        kept = {RIDGE: fitted.ridge, TREES: fitted.trees}[chooser]
        assert np.array_equal(said, kept.preferences(SEEN), equal_nan=True)
    one_by_one = np.vstack([bundle.preferences(row[None]) for row in SEEN])
    assert np.array_equal(said, one_by_one, equal_nan=True), "a row does not depend on the others"


def test_the_rivals_lie_in_every_version(fitted):
    choosers = read_bundle(stored(fitted), features="features").choosers
    assert set(choosers) == {SAC, RIDGE, TREES, "best single"}
    assert choosers["best single"].place == fitted.single.place


def test_a_policy_that_pays_for_changing_sees_its_last_choice():
    ridge = Ridge.fitted(TABLE)
    training = Training(timesteps=20, switching_cost=0.2)
    state = train_actor(TABLE, TABLE.r, ridge.statistics, training, 0)
    parts = Fitted(ridge, Trees.fitted(TABLE), Single.best(TABLE), (state,))
    bundle = read_bundle(bundle_of(SAC, parts, About.of(TABLE, ridge, 0.2)), features="features")
    assert bundle.remembers
    held = np.tile(np.eye(9)[3], (len(SEEN), 1))
    assert not np.allclose(bundle.preferences(SEEN), bundle.preferences(SEEN, held), equal_nan=True)
    with pytest.raises(DamagedError, match="another last choice"):
        read_bundle(bundle_of(SAC, parts, About.of(TABLE, ridge)), features="features")


def test_other_features_are_refused_in_one_line(fitted):
    with pytest.raises(DamagedError, match=r"^policy 1\.0\.0 was taught on other features"):
        read_bundle(stored(fitted, RIDGE), "policy 1.0.0")


def told(files: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    settings = json.loads(files[OBSERVED_FILE]) | changes
    return files | {OBSERVED_FILE: json.dumps(settings).encode()}


@pytest.mark.parametrize(
    "changes",
    [
        {"chooser": "oracle"},
        {"chooser": "ridge"},  # with the actors of a sac
        {"seeds": 3},
        {"seeds": "many"},
        {"statistics": {"mean": [0.0], "deviation": [1.0]}},
        {"statistics": {"mean": [float("nan")] * 12, "deviation": [1.0] * 12}},
        {"learnt": [True] * 8},
        {"strategies": ["a", "b"]},
        {"observed": [f"y{n}" for n in range(12)]},
        {"best_single": "nobody"},
        {"switching_cost": None},
    ],
)
def test_settings_that_do_not_fit_are_damage(fitted, changes):
    with pytest.raises(DamagedError):
        read_bundle(told(stored(fitted), **changes), features="features")


@pytest.mark.parametrize("name", ["observed.json", "ridge.json", "sac-1.pt"])
@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b"\x80\x02cos\nsystem\n."])
def test_files_that_are_not_what_was_written_are_damage(fitted, name, content):
    files = stored(fitted)
    del files[name]
    if content is not None:
        files[name] = content
    with pytest.raises(DamagedError):
        read_bundle(files, features="features")


def test_trees_of_other_observations_are_damage(fitted):
    files = stored(fitted, TREES)
    first = f"lightgbm-{TABLE.strategies[0]}.txt"
    files[first] = files[first].replace(b"x0", b"y0")
    with pytest.raises(DamagedError, match="grown on other observations"):
        read_bundle(files, features="features")
