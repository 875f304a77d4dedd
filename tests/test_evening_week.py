"""A week of evenings by the real command and a clock of the test's, with everything that happens.

Monday; Tuesday, killed; Wednesday, a holiday; Thursday, no recording came; Friday, nobody started
it; Monday, when Friday is caught up.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evenings import HOLIDAY, Place, contents, differing
from paper_days import dying_at, ended, in_a_child, started
from test_paper_busy import all_but_the_last
from test_paper_disk import tmpfs

from optiq.cli.app import main
from optiq.learn import registry

MONDAY, TUESDAY, THURSDAY, FRIDAY = "2025-11-03", "2025-11-04", "2025-11-06", "2025-11-07"
NEXT = "2025-11-10"
EVERY_STEP = 80
TIMES = ("created", "time", "decided_at", "link", "tried", "digest", "bytes_before", "bytes_after")


def week(place: Place, night: Callable[[str], None] = lambda day: None) -> list[int]:
    """Drive a week and return the exit statuses; ``night`` is told of each evening before it."""
    place.record(MONDAY)
    said = [ran(place, MONDAY, night)]
    place.record(TUESDAY)
    said.append(ran(place, TUESDAY, night))
    said.append(ran(place, HOLIDAY, night))
    said.append(ran(place, THURSDAY, night))
    place.record(FRIDAY, NEXT)  # Friday's evening was missed
    said.append(ran(place, NEXT, night))
    return said


def ran(place: Place, day: str, night: Callable[[str], None]) -> int:
    night(day)
    return in_a_child(place.eod(day))


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("week") / "begun"
    Place(root).begin()
    at_hand(root)
    return root


def at_hand(root: Path) -> None:
    """Load once, for every process that is forked here, what an evening takes seconds to load."""
    for name in ("lightgbm", "optiq.learn.scorer.candidate", "optiq.report.evening_page"):
        importlib.import_module(name)
    tried = shutil.copytree(root, root.with_name("tried"))
    assert main(["episodes", "build", "--config", str(tried / "optiq.toml")]) == 0


def fresh(begun: Path) -> Place:
    """The place as before the week, always under the same name: sources are known by it."""
    root = begun.with_name("place")
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(begun, root)
    place = Place.__new__(Place)
    place.root, place.store, place.models = root, root / "data" / "store", root / "models"
    return place


@pytest.fixture(scope="module")
def undisturbed(begun) -> tuple[list[int], dict[str, str], Path]:
    place = fresh(begun)
    codes = week(place)
    kept = begun.with_name("undisturbed")
    shutil.copytree(place.root, kept)
    return codes, contents(place.store, place.models), kept


def test_a_week_ends_as_it_should(undisturbed):
    codes, _, root = undisturbed
    assert codes == [0, 0, 0, 10, 0]
    store = root / "data" / "store"
    states = {
        path.parent.name: json.loads(path.read_text())["state"]
        for path in (store / "evenings").glob("*/manifest.json")
    }
    assert states == dict.fromkeys((MONDAY, TUESDAY, FRIDAY, NEXT), "done") | {THURSDAY: "no data"}
    learnt = registry.versions(root / "models", "scorer")
    assert learnt == ["1.0.0", "1.0.1", "1.0.2", "1.0.3"]
    cards = [registry.load(root / "models", "scorer", version).card for version in learnt]
    assert [card["seen_until"] for card in cards] == [MONDAY, TUESDAY, FRIDAY, NEXT]
    episodes = store / "episodes" / "underlying=NIFTY"
    assert {p.name for p in episodes.iterdir()} == {
        f"date={day}" for day in (MONDAY, TUESDAY, FRIDAY, NEXT)
    }


def disturbed(begun: Path, day: str, step: int) -> tuple[Place, bool]:
    """A week with one evening killed at a step; tells whether there was such a step."""
    place, killed = fresh(begun), []

    def night(today: str) -> None:
        if today == day:
            killed.append(in_a_child(dying_at(step, place.eod(day))))

    assert week(place, night) == [0, 0, 0, 10, 0]
    return place, killed == [137]


def test_a_week_with_a_kill_ends_the_same_byte_for_byte(begun, undisturbed):
    place, was_killed = disturbed(begun, TUESDAY, 17)
    assert was_killed
    assert differing(undisturbed[1], contents(place.store, place.models)) == []
    whole = contents(place.root)
    assert in_a_child(place.eod(NEXT, clock="22:00")) == 0
    assert in_a_child(place.eod(NEXT, "--date", MONDAY, clock="23:00")) == 0
    assert contents(place.root) == whole, "a rerun of a finished evening does nothing"


@pytest.mark.study
def test_a_week_killed_at_every_step_in_turn(begun, undisturbed, write_study):
    differ, steps = [], 0
    for step in range(1, EVERY_STEP):
        place, was_killed = disturbed(begun, TUESDAY, step)
        if not was_killed:
            break
        steps += 1
        if differing(undisturbed[1], contents(place.store, place.models)):
            differ.append(step)
    write_study(
        "killed-evenings",
        "A week of evenings by the real command (Monday, Tuesday, a holiday, a day without a "
        "recording, a missed night caught up), Tuesday's killed at each durable step in turn and "
        "started again; store, episodes and registry against the undisturbed week, byte for byte.",
        ["steps at which it was killed", "weeks that ended otherwise"],
        [(steps, len(differ))],
    )
    assert steps > 30
    assert differ == []


@pytest.mark.study
def test_a_night_that_was_missed_learns_what_it_would_have(begun, undisturbed):
    """The same files but for the times at which they were made."""
    place = fresh(begun)
    place.record(MONDAY)
    in_a_child(place.eod(MONDAY))
    place.record(TUESDAY)
    in_a_child(place.eod(TUESDAY))
    in_a_child(place.eod(THURSDAY))
    place.record(FRIDAY)
    assert in_a_child(place.eod(FRIDAY)) == 0, "here it was not missed"
    place.record(NEXT)
    in_a_child(place.eod(NEXT))
    other = undisturbed[2]
    for name in ("models", "data/store"):
        assert timeless(place.root / name) == timeless(other / name)


def timeless(root: Path) -> dict[str, Any]:
    """What lies below a folder, without times and what binds them; pages show such times."""
    told: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.suffix == ".json" and path.name != "heartbeat.json":
            told[name] = without_times(json.loads(path.read_text()))
        elif path.suffix == ".jsonl":
            lines = path.read_text().splitlines()
            told[name] = [without_times(json.loads(line)) for line in lines]
        elif path.suffix in (".parquet", ".txt"):
            told[name] = path.read_bytes()
    return told


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def test_a_dry_run_and_an_evening_that_is_not_due_touch_nothing(begun):
    place = fresh(begun)
    whole = contents(place.root)
    assert in_a_child(place.eod(MONDAY, "--dry-run")) == 0
    assert in_a_child(place.eod(HOLIDAY, "--date", HOLIDAY)) == 0
    assert in_a_child(place.eod(MONDAY, "--date", TUESDAY)) == 2, "it has not come"
    assert contents(place.root) == whole


STARTS = 20
HOLDING = "exec:sleep 9"
"""Whom to tell: so that one still holds the evening when the others have tried."""


def test_of_twenty_starts_at_once_one_works(begun, tmp_path):
    place = fresh(begun)
    place.record(MONDAY)
    out, (waits, go) = tmp_path / "out", os.pipe()

    def together() -> int:
        os.close(go)
        os.read(waits, 1)  # returns when the other end is closed
        return place.eod(MONDAY, "--json", "--alert", HOLDING)()

    children = [started(together, out) for _ in range(STARTS)]
    os.close(waits)
    os.close(go)
    ends, working = all_but_the_last(children)
    assert ends == [75] * (STARTS - 1)
    os.kill(working, signal.SIGKILL)
    assert ended(working) == 137
    assert in_a_child(place.eod(MONDAY, "--json"), out) == 0
    assert registry.versions(place.models, "scorer") == ["1.0.0"]


MIB = 1 << 20


def test_a_disk_that_is_full_before_it_begins_is_left_alone(begun, tmp_path):
    place = fresh(begun)
    place.record(MONDAY)
    with tmpfs(tmp_path / "disk", 8 * MIB):
        shutil.copytree(place.root, tmp_path / "disk" / "place")
        place.root = tmp_path / "disk" / "place"
        whole = contents(place.root)
        assert in_a_child(place.eod(MONDAY, "--set", "evening.least_free_mb=200")) == 74
        assert contents(place.root) == whole


def test_a_disk_that_fills_up_ends_it_and_a_rerun_goes_on(begun, tmp_path):
    place = fresh(begun)
    place.record(MONDAY)
    with tmpfs(tmp_path / "disk", 64 * MIB) as resize:
        shutil.copytree(place.root, tmp_path / "disk" / "place")
        place.root = tmp_path / "disk" / "place"
        place.store, place.models = place.root / "data" / "store", place.root / "models"
        used = shutil.disk_usage(place.root).used
        for room in (8, 120, 400):
            resize(used + room * 1024)
            assert in_a_child(place.eod(MONDAY), tmp_path / "out") == 74
            assert registry.aliases(place.models, "scorer")["champion"] is None
        resize(64 * MIB)
        assert in_a_child(place.eod(MONDAY)) == 0
        assert place.manifest(MONDAY)["state"] == "done"
    assert "Traceback" not in (tmp_path / "out").read_text()
