"""An evening that is killed anywhere ends as one that nobody disturbed, promotion and all."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chains import quotes, write
from evenings import contents, differing
from paper_days import dying_at, in_a_child
from small_models import FILES, card, measured

from optiq.errors import EvidenceError, StorageError
from optiq.learn import gates, lockbox, registry, trials
from optiq.learn.evening.manifest import read
from optiq.learn.evening.night import Evening, Tonight, size_of
from optiq.learn.evening.settings import EveningSettings
from optiq.learn.evening.steps import steps_of
from optiq.learn.gates import Case, Verdict
from optiq.market.calendar import sessions_between
from optiq.market.ingest.pipeline import ingest
from optiq.market.store import Store
from optiq.run.episodes import write as write_episodes
from optiq.run.user_strategy import find_all

DAYS = sessions_between(dt.date(2025, 10, 16), dt.date(2025, 11, 20), with_muhurat=False)
TONIGHT = DAYS[-1]
SEEN = DAYS[-21]
"""Twenty sessions lie after what the candidate has seen: enough to be judged on."""
NOW = dt.datetime(2025, 11, 20, 11, 0, tzinfo=dt.UTC)
MOST_STEPS = 60


def train(tonight: Any) -> dict[str, Any]:
    """A training that takes no time: two fits written down, one candidate."""
    for leaves in (7, 15):
        trials.record(tonight.models, "scorer", {"leaves": leaves}, {"loss": 0.6}, now=tonight.now)
    told = card(SEEN.isoformat())
    version = registry.save(tonight.models, "scorer", FILES, told, now=tonight.now)
    return {"version": version, "seen_until": told["seen_until"]}


def passes(asked: Case) -> Verdict:
    return Verdict(True, ("better on 20 sessions",), (measured("top decile", 0.2, 0.1, 0.3),))


def refuses(asked: Case) -> Verdict:
    return Verdict(False, ("no better",), sessions_needed=40)


def no_episodes(tonight: Tonight, underlying: str) -> None:
    write_episodes(tonight.store, underlying, tonight.date, [], find_all([]))


def evening(root: Path, gate: Callable[[Case], Verdict] = passes, **other: Any) -> Evening:
    settings = EveningSettings(
        sources=(root / "recordings" / "{date}.csv",), least_free_mb=0.0, **other
    )
    steps = steps_of(settings, no_episodes, {"scorer": train}, {"scorer": gate})
    return Evening(root / "store", root / "models", settings, NOW, lambda _: steps)


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> Path:
    """The sessions before in the store and the recording of one more."""
    root = tmp_path_factory.mktemp("before")
    for day in DAYS[:-1]:
        write(quotes(day=day, expiry=dt.date(2025, 11, 25)), root / "old" / f"{day}.csv")
    report = ingest([str(root / "old")], Store(root / "store"))
    assert len(report.days) == len(DAYS) - 1
    shutil.rmtree(root / "old")
    write(quotes(day=TONIGHT), root / "recordings" / f"{TONIGHT}.csv")
    return root


@pytest.fixture
def place(before, tmp_path) -> Path:
    """The same place each time: sources are stored under their names."""
    root = before.with_name("place")
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(before, root)
    return root


def run(root: Path, gate: Callable[[Case], Verdict] = passes) -> Callable[[], int]:
    def act() -> int:
        (manifest,) = evening(root, gate).run([TONIGHT])
        return manifest.exit_code

    return act


def again(before: Path) -> Path:
    root = before.with_name("place")
    shutil.rmtree(root)
    shutil.copytree(before, root)
    return root


EVERY = [pytest.param(gate, 1, marks=pytest.mark.study) for gate in (passes, refuses)]


@pytest.mark.parametrize(("gate", "every"), [(passes, 3), (refuses, 9), *EVERY])
def test_killed_at_every_durable_step_it_ends_as_if_undisturbed(before, place, gate, every):
    assert run(place, gate)() == 0
    whole = contents(place / "store", place / "models")
    for step in range(1, MOST_STEPS, every):
        root = again(before)
        status = in_a_child(dying_at(step, run(root, gate)))
        if status == 0:
            break
        assert status == 137
        assert run(root, gate)() == 0
        assert differing(whole, contents(root / "store", root / "models")) == [], step
    assert 20 < step < MOST_STEPS, "there were steps, and all of them"


def test_it_promotes_what_passed_from_the_next_session_on(place):
    run(place)()
    (promotion,) = registry.promotions(place / "models", "scorer")
    assert promotion.takes_effect == dt.date(2025, 11, 21)
    manifest = read(place / "store", TONIGHT)
    assert manifest is not None
    assert manifest.state == "done"
    assert manifest.facts("judge")["scorer"]["promoted"]
    assert manifest.steps["drift"].status == "done"


def test_what_is_refused_says_why_and_changes_nothing(place):
    run(place, refuses)()
    assert registry.promotions(place / "models", "scorer") == ()
    told = read(place / "store", TONIGHT).facts("judge")["scorer"]
    assert (told["promoted"], told["reasons"], told["sessions_needed"]) == (
        False,
        ["no better"],
        40,
    )


def test_a_finished_evening_is_not_begun_again(place):
    run(place)()
    whole = contents(place)

    def never(_: Case) -> Verdict:
        raise AssertionError("judged again")

    run(place, never)()
    assert contents(place) == whole


def test_a_recording_that_came_late_is_taken_in(place):
    """Not only the check is done again, but what it found missing."""
    recording = place / "recordings" / f"{TONIGHT}.csv"
    late = recording.rename(place / "late.csv")
    (manifest,) = evening(place).run([TONIGHT])
    assert (manifest.state, manifest.exit_code) == ("no data", 10)
    late.rename(recording)
    (manifest,) = evening(place).run([TONIGHT])
    assert (manifest.state, manifest.exit_code) == ("done", 0)


def test_an_interrupted_look_is_gone_on_with_and_is_one_look(place):
    def dies(_: Case) -> Verdict:
        raise StorageError("disk full")

    with pytest.raises(StorageError):
        run(place, dies)()
    folder = place / "models" / "scorer"
    assert len(lockbox.openings(folder)) == 1
    assert gates.verdicts(place / "models", "scorer") == []
    assert run(place)() == 0
    assert len(lockbox.openings(folder)) == 1
    assert [v["passed"] for v in gates.verdicts(place / "models", "scorer")] == [True]


def test_a_step_that_fails_is_named_and_the_others_run_all_the_same(place):
    def bug(_: Any) -> dict[str, Any]:
        raise ZeroDivisionError("a bug")

    broken = evening(place)
    steps = steps_of(broken.settings, no_episodes, {"scorer": bug})
    (manifest,) = Evening(broken.store, broken.models, broken.settings, NOW, lambda _: steps).run(
        [TONIGHT]
    )
    said = {name: step.status for name, step in manifest.steps.items()}
    assert said["scorer"] == "failed"
    assert "ZeroDivisionError" in manifest.steps["scorer"].reason
    assert (said["episodes"], said["judge"]) == ("done", "skipped")
    assert manifest.steps["judge"].reason == "needs scorer, and none is done"
    assert "drift" in said
    assert manifest.exit_code == 70
    trace = place / "store" / "evenings" / str(TONIGHT) / "scorer.traceback.txt"
    assert "a bug" in trace.read_text()
    assert run(place)() == 0, "mended, the same evening goes on"
    done = read(place / "store", TONIGHT)
    assert done is not None
    assert done.state == "done"


def test_too_little_to_learn_from_is_no_failure(place):
    def too_few(_: Any) -> dict[str, Any]:
        raise EvidenceError("812 of 1,000 episodes")

    asked = evening(place)
    steps = steps_of(
        asked.settings, no_episodes, {"scorer": train, "policy": too_few}, {"scorer": passes}
    )
    (manifest,) = Evening(asked.store, asked.models, asked.settings, NOW, lambda _: steps).run(
        [TONIGHT]
    )
    assert manifest.state == "done"
    assert manifest.steps["policy"].reason == "812 of 1,000 episodes"


def test_an_interrupted_training_leaves_one_candidate(place):
    in_a_child(dying_at(14, run(place)))
    run(place)()
    assert registry.versions(place / "models", "scorer") == ["1.0.0"]
    assert len(trials.trials(place / "models", "scorer")) == 2


def test_a_manifest_that_was_changed_is_said_to_be(place):
    run(place)()
    path = place / "store" / "evenings" / str(TONIGHT) / "manifest.json"
    path.write_text(path.read_text().replace('"promoted": true', '"promoted": false'))
    with pytest.raises(Exception, match="not what an evening wrote"):
        read(place / "store", TONIGHT)


def test_what_an_evening_used_does_not_depend_on_the_number_of_its_process(place):
    run(place)()
    used = read(place / "store", TONIGHT).bytes_after
    for lock in (*(place / "store").rglob(".lock"), *(place / "models").rglob(".lock")):
        lock.write_text("process 7\n")
    assert size_of(place / "store") + size_of(place / "models") == used
