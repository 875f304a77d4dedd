"""Direction and policy in the evening: trained on their day, as the evening's settings say."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from evenings import SETTINGS, Place, days

from optiq.cli.app import main
from optiq.cli.eod_steps import steps_on
from optiq.errors import MissingDataError
from optiq.learn import registry
from optiq.learn.direction.training import KIND
from optiq.learn.evening import settings as evening_settings
from optiq.learn.evening.manifest import Manifest
from optiq.learn.evening.night import Tonight
from optiq.learn.policy import choosers
from optiq.learn.policy.episode_table import read_episodes
from optiq.market.calendar import sessions_between
from optiq.run.episodes import FOLDER, write
from optiq.run.user_strategy import find_all
from optiq.trade.strategies import BUILT_IN

MONDAY, TUESDAY = days()[4:6]
CHEAP = f"""{SETTINGS}
direction_on = ["mon"]
policy_on = ["mon", "tue"]
direction_seeds = 1
direction_epochs = 1
policy_chooser = "ridge"
"""
FIRST = dt.date(2025, 6, 2)
TOLD_AT = ("created", "time")


@pytest.fixture(scope="module")
def evenings(tmp_path_factory) -> Place:
    """Monday's evening, and Tuesday's after enough episodes were logged."""
    place = Place(tmp_path_factory.mktemp("kinds"), CHEAP).begin()
    place.record(MONDAY)
    assert place.eod(MONDAY)() == 0
    log_episodes(place, 70)
    tuesday = dt.date.fromisoformat(TUESDAY)
    now = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    by_hand = {"reason": "by hand", "forced": True, "now": now}
    registry.promote(place.models, "direction", "1.0.0", takes_effect=tuesday, **by_hand)
    place.record(TUESDAY)
    assert place.eod(TUESDAY)() == 0
    return place


def log_episodes(place: Place, n_sessions: int) -> None:
    """Monday's episodes again, as if logged on earlier sessions too."""
    folder = place.store / FOLDER / "underlying=NIFTY"
    lines = pq.read_table(folder / f"date={MONDAY}" / "part.parquet").to_pylist()
    monday, everyone = dt.date.fromisoformat(MONDAY), find_all([])
    for date in sessions_between(FIRST, monday)[:n_sessions]:
        moved = [earlier(line, monday - date) for line in lines]
        write(place.store, "NIFTY", date, moved, everyone)


def earlier(line: dict[str, Any], by: dt.timedelta) -> dict[str, Any]:
    return {k: v - by if isinstance(v, dt.datetime) else v for k, v in line.items()}


def test_each_is_trained_on_its_day(evenings):
    for day, wanted in ((MONDAY, {"direction"}), (TUESDAY, {"policy"})):
        steps = evenings.manifest(day)["steps"]
        done = {kind for kind in ("policy", "direction") if steps.get(kind, {}).get("facts")}
        assert done == wanted, day
        (kind,) = done
        assert steps[kind]["facts"]["seen_until"] == day
        assert registry.versions(evenings.models, kind) == ["1.0.0"]
        judged = steps["judge"]["facts"][kind]
        assert (judged["promoted"], judged["sessions_needed"]) == (False, 20)
    assert "direction" not in evenings.manifest(TUESDAY)["steps"]


def test_its_episodes_see_the_direction_model_that_served_that_session(evenings):
    for day, served in ((MONDAY, None), (TUESDAY, "1.0.0")):
        facts = evenings.manifest(day)["steps"]["episodes"]["facts"]["NIFTY"]
        assert facts["direction"] == served
        part = evenings.store / FOLDER / "underlying=NIFTY" / f"date={day}" / "part.parquet"
        assert set(pq.read_table(part)["direction_version"].to_pylist()) == {served or ""}
        possible = np.array(pq.read_table(part)["mask"].to_pylist())
        speaks = possible[:, BUILT_IN.index("quantum_edge")].any()
        assert speaks == (served is not None)


def test_who_was_killed_after_writing_its_episodes_tells_the_same_of_them(evenings):
    tuesday, settings = dt.date.fromisoformat(TUESDAY), evening_settings.EveningSettings()
    steps = steps_on(tuesday, settings, (), evenings.root / "optiq.toml", [])
    (episodes,) = [step for step in steps if step.name == "episodes"]
    now = dt.datetime(2025, 11, 4, 11, tzinfo=dt.UTC)
    tonight = Tonight(tuesday, evenings.store, evenings.models, now, Manifest(tuesday))
    assert episodes.act(tonight) == evenings.manifest(TUESDAY)["steps"]["episodes"]["facts"]


def test_episodes_are_not_built_with_a_model_that_has_learnt_from_their_session(evenings, capsys):
    asked = ["episodes", "build", "--direction", "1.0.0", "--from", MONDAY, "--to", MONDAY]
    assert main([*asked, "--config", str(evenings.root / "optiq.toml")]) == 2
    assert "has learnt from 1 of these 1 sessions" in capsys.readouterr().err


def test_of_several_underlyings_direction_learns_the_first_and_says_who_is_not_spoken_for(
    evenings, tmp_path
):
    monday = dt.date.fromisoformat(MONDAY)
    settings = evening_settings.EveningSettings(
        underlyings=("NIFTY", "BANKNIFTY"), direction_seeds=1, direction_epochs=1
    )
    (direction,) = [
        s for s in steps_on(monday, settings, ["direction"], None, []) if s.name == KIND
    ]
    now = dt.datetime(2025, 11, 3, 11, tzinfo=dt.UTC)
    facts = direction.act(Tonight(monday, evenings.store, tmp_path, now, Manifest(monday)))
    assert facts["notes"][-1] == "A direction model speaks for one index: NIFTY, not BANKNIFTY."
    assert registry.load(tmp_path, KIND, "1.0.0").card["underlyings"] == ["NIFTY"]


def test_a_policy_learns_of_no_index_that_has_no_episodes(evenings):
    with pytest.raises(MissingDataError, match="no episodes of BANKNIFTY"):
        read_episodes(evenings.store, ["NIFTY", "BANKNIFTY"])


def test_too_few_episodes_are_counted_and_nobody_is_replaced(evenings):
    manifest = evenings.manifest(MONDAY)
    policy = manifest["steps"]["policy"]
    assert (policy["status"], policy["exit_code"]) == ("skipped", 0)
    assert policy["reason"] == "75 of 1000 episodes, 1 of 60 sessions"
    assert manifest["state"] == "done"


def test_the_only_clock_is_the_evenings(evenings):
    """Whatever a training writes down was written at four o'clock of its day."""
    told = {kind: times_below(evenings.models / kind) for kind in ("direction", "policy")}
    assert told["direction"] == {f"{MONDAY}T10:30:00+00:00"}
    assert told["policy"] == {f"{TUESDAY}T10:30:00+00:00"}


def times_below(root: Path) -> set[str]:
    texts = [path.read_text() for path in root.rglob("card.json")]
    texts += [line for path in root.rglob("*.jsonl") for line in path.read_text().splitlines()]
    records = [json.loads(text) for text in texts]
    return {record[name] for record in records for name in TOLD_AT if name in record}


def test_the_settings_know_who_may_choose():
    assert set(evening_settings.CHOOSERS) == set(choosers.LEARNERS)
