"""From logged episodes to a candidate and to a verdict, as a person types it."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from episode_tables import drawn, linear, written

from optiq.cli.app import main
from optiq.learn import registry, trials
from optiq.learn.gates import Case
from optiq.learn.policy.bundle import read_bundle
from optiq.learn.policy.gate import judge
from optiq.learn.policy.training import KIND
from optiq.learn.promoting import case_of

RULE = linear(0.4, n_seen=23)
FIRST = np.datetime64("2025-01-01")
UNSEEN = np.datetime64("2025-06-02")
QUICK = (
    "--seeds",
    "1",
    "--timesteps",
    "20",
    "--folds",
    "1",
    "--rewards",
    "ridge",
    "--workers",
    "1",
)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="optiq-train-policy-")


@cache
def store() -> Path:
    """84 sessions to learn from, and 30 later ones in which the same rule holds."""
    root = Path(_folder().name) / "store"
    for table in (
        drawn(RULE, 84 * 12, seed=1, n_seen=23, first=FIRST),
        drawn(RULE, 30 * 12, seed=2, n_seen=23, first=UNSEEN),
    ):
        written(table, root)
    return root


def train(capsys, models: Path, *asked: str) -> tuple[int, str, str]:
    capsys.readouterr()
    whole = ["train-policy", "--store", str(store()), "--models", str(models), *asked]
    return main(whole), *capsys.readouterr()


UNTIL = ("--to", "2025-05-30")


def test_episodes_without_a_fill_teach_nothing_and_it_says_what_to_do(capsys, tmp_path):
    """Snapshots five minutes apart under the usual latency: every order expires."""
    table = drawn(RULE, 84 * 12, seed=1, n_seen=23, first=FIRST)
    written(replace(table, r=np.zeros_like(table.r)), tmp_path / "store")
    for more in ((), ("--exploratory",)):
        asked = ["train-policy", "--store", str(tmp_path / "store"), "--models", str(tmp_path)]
        assert main([*asked, *more]) == 4
        said = capsys.readouterr().err
        assert "in none of 1,008 episodes was any strategy's next order filled" in said
        assert "--set walk.latency_s=0" in said


def test_too_few_episodes_end_with_four_and_the_counts(capsys, tmp_path):
    status, out, err = train(capsys, tmp_path, "--to", "2025-02-10")
    assert (status, out) == (4, "")
    assert "492 of 1000 episodes, 41 of 60 sessions" in err
    assert "the choice stays random" in err
    assert not (tmp_path / KIND).exists()


def test_exploring_registers_nothing_and_says_what_was_not_shown(capsys, tmp_path):
    status, out, _ = train(
        capsys, tmp_path, "--to", "2025-02-10", "--exploratory", "--chooser", "ridge", "--json"
    )
    told = json.loads(out)
    assert (status, told["ok"], told["registered"], told["version"]) == (0, True, False, None)
    assert told["not_shown"][-1] == (
        "too few to learn from: 492 of 1000 episodes, 41 of 60 sessions"
    )
    assert told["shown"][0].startswith("over 384 decisions of 32 sessions it had not learnt from")
    assert registry.versions(tmp_path, KIND) == []
    assert len(trials.trials(tmp_path, KIND)) == 1, "a look is a trial"
    _, out, _ = train(capsys, tmp_path, "--to", "2025-02-10", "--exploratory", "--chooser", "ridge")
    assert "not shown: too few to learn from" in out
    assert "nothing was registered" in out


def test_a_soft_actor_critic_is_stored_measured_and_the_same_again(capsys, tmp_path):
    status, out, _ = train(capsys, tmp_path, *UNTIL, *QUICK, "--json")
    told = json.loads(out)
    assert (status, told["version"], told["promoted"]) == (0, "1.0.0", False)
    assert told["sessions"]["n"] == 84
    assert told["figures_of"] in ("sac", "sac seed 0")
    assert {"random", "best single", "equal weights", "ridge", "lightgbm", "oracle"} <= {
        *told["figures"]
    }
    assert [check["passed"] for check in told["audit"]] == [True] * 5
    stored = registry.load(tmp_path, KIND, "1.0.0")
    assert stored.card["seen_until"] == "2025-03-25"
    assert stored.card["underlyings"] == ["NIFTY"]
    assert read_bundle(stored.files).name == "sac"
    assert list((tmp_path / KIND / "checkpoints").iterdir()) == []
    assert list((tmp_path / KIND / "tensorboard").glob("*/events.*"))
    again, out, _ = train(capsys, tmp_path, *UNTIL, *QUICK, "--json")
    assert (again, json.loads(out)["version"]) == (0, "1.0.0"), "the same weights are that version"
    assert len(trials.trials(tmp_path, KIND)) == 1


@cache
def models() -> Path:
    """A ridge candidate of the first 84 sessions, trained by the command itself."""
    folder = Path(_folder().name) / "models"
    asked = ["train-policy", "--store", str(store()), "--models", str(folder), *UNTIL]
    assert main([*asked, "--chooser", "ridge", "--json"]) == 0
    return folder


def case(sessions: int = 30, root: Path | None = None) -> Case:
    challenger = registry.load(models(), KIND, "1.0.0")
    days = tuple((UNSEEN + n).item() for n in range(sessions))
    return Case(models(), root or store(), KIND, challenger, None, days)


def test_a_rule_that_holds_on_passes_the_gate(capsys):
    verdict = judge(case())
    assert verdict.passed, verdict.reasons
    figures = {one.metric: one for one in verdict.figures}
    assert figures["net R a decision over random"].interval.low > 0
    assert figures["net R a decision"].evidence.sessions == 30


def test_the_gate_asks_for_episodes_of_every_unseen_session():
    verdict = judge(case(31))
    assert not verdict.passed
    assert verdict.reasons == ("1 of 31 unseen sessions have no episodes: optiq episodes build",)


def test_episodes_walked_otherwise_are_no_evidence(tmp_path):
    other = replace(
        drawn(RULE, 30 * 12, seed=2, n_seen=23, first=UNSEEN), walk_hash="other settings"
    )
    verdict = judge(case(root=written(other, tmp_path)))
    assert not verdict.passed
    assert "walked by other settings" in verdict.reasons[0]


def test_a_rule_that_has_gone_is_refused(tmp_path):
    written(drawn(RULE, 84 * 12, seed=1, n_seen=23, first=FIRST), tmp_path)
    gone = drawn(lambda seen: -RULE(seen), 30 * 12, seed=2, n_seen=23, first=UNSEEN)
    verdict = judge(case(root=written(gone, tmp_path)))
    assert not verdict.passed
    assert any("net R a decision is -" in reason for reason in verdict.reasons)


def test_days_without_episodes_are_not_looked_at():
    """The lockbox of a policy is the days that have episodes; none of these is a stored day."""
    challenger = registry.load(models(), KIND, "1.0.0")
    assert case_of(models(), store(), challenger, dt.date(2025, 12, 31)).sessions == ()


def test_a_policy_must_make_more_than_the_champion():
    """Against itself nobody does."""
    asked = case()
    verdict = judge(replace(asked, champion=asked.challenger))
    assert not verdict.passed
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith("net R a decision over the champion is +0.0000")


def test_a_champion_that_has_seen_the_tested_sessions_is_no_rival_there(capsys, tmp_path):
    assert train(capsys, tmp_path, *UNTIL, "--chooser", "ridge")[0] == 0
    effect, now = dt.date(2025, 3, 26), dt.datetime(2025, 3, 25, 12, tzinfo=dt.UTC)
    registry.promote(tmp_path, KIND, "1.0.0", takes_effect=effect, reason="a test", now=now)
    _, out, _ = train(capsys, tmp_path, "--chooser", "ridge", "--exploratory", "--json")
    told = json.loads(out)
    assert "the champion" not in told["figures"]
    assert told["notes"] == [
        "not compared with the champion 1.0.0 here: it has seen these sessions; the gate compares "
        "them on sessions that neither has"
    ]
    later = ("--from", "2025-06-02", "--chooser", "ridge", "--exploratory", "--json")
    told = json.loads(train(capsys, tmp_path, *later)[1])
    assert "the champion" in told["figures"]
    assert told["notes"] == []
