"""A session killed at any moment, or after any durable step, ends as if nobody had touched it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from paper_days import NAME, dying_at, in_a_child, killed_after, lost_lines, printed
from undisturbed import Undisturbed, small_session, undisturbed

from optiq.market.simulated_settings import Simulation


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Undisturbed:
    return small_session(tmp_path_factory.mktemp("small"))


class Kills(NamedTuple):
    """What came of killing sessions: how often, and what went wrong."""

    sessions: int
    kills: int
    resumed: int
    lines: int
    lost_lines: int
    unequal: int


def kill_at_random(whole: Undisturbed, tmp_path: Path, kills: int, seed: int) -> Kills:
    """Kill sessions at random moments, each until it lives to its end."""
    rng = random.Random(seed)
    sessions = killed = resumed = lines = lost = unequal = 0
    while killed < kills:
        place, out = whole.session(tmp_path / f"killed{sessions}")
        status, sessions = 137, sessions + 1
        while status and killed < kills:
            moment = whole.seconds * rng.uniform(0.05, 0.95)
            resumed += (place / "sessions").exists()
            status = killed_after(moment, whole.command(place), out)
            assert status in (0, 137), out.read_text()[-2_000:]
            killed += status == 137
            lost += lost_lines(out, place)
        if status:
            assert in_a_child(whole.command(place), out) == 0, out.read_text()[-2_000:]
        unequal, lines = unequal + (not whole.equals(place)), lines + printed(out).total()
    return Kills(sessions, killed, resumed, lines, lost, unequal)


def kill_at_steps(
    whole: Undisturbed, tmp_path: Path, steps: Iterable[int], again: int = 1
) -> Kills:
    """Kill a session after each of these durable steps, and its restart after its first ones.

    Ends with the first step that a session does not have.
    """
    sessions = killed = resumed = lines = lost = unequal = 0
    for step in steps:
        tmp_path.mkdir(exist_ok=True)
        place, out = whole.session(tmp_path / f"step{step}")
        status = in_a_child(dying_at(step, whole.command(place)), out)
        if status == 0:
            break
        for restart in range(1, again):
            assert status == 137, out.read_text()[-2_000:]
            killed, resumed = killed + 1, resumed + 1
            lost += lost_lines(out, place)
            status = in_a_child(dying_at(restart, whole.command(place)), out)
        killed, sessions = killed + (status == 137), sessions + 1
        assert in_a_child(whole.command(place), out) == 0, out.read_text()[-2_000:]
        lost += lost_lines(out, place)
        unequal, lines = unequal + (not whole.equals(place)), lines + printed(out).total()
    return Kills(sessions, killed, resumed, lines, lost, unequal)


def test_a_few_kills_at_random_moments_change_nothing(small, tmp_path):
    counts = kill_at_random(small, tmp_path, kills=6, seed=5)
    assert counts.kills == 6
    assert counts.lines > 40
    assert (counts.lost_lines, counts.unequal) == (0, 0)


@pytest.mark.parametrize("steps", [[1, 2, 3, 4], [5, 6, 7, 8], [85, -6, -1]])
def test_a_kill_after_a_durable_step_changes_nothing(small, tmp_path, steps):
    steps = [step % (small.steps + 1) for step in steps]
    counts = kill_at_steps(small, tmp_path, steps)
    assert (counts.kills, counts.lost_lines, counts.unequal) == (len(steps), 0, 0)


def test_a_restart_killed_at_its_first_steps_changes_nothing(small, tmp_path):
    counts = kill_at_steps(small, tmp_path, [60], again=5)
    assert (counts.kills, counts.lost_lines, counts.unequal) == (5, 0, 0)


KILLED = (
    "Replayed days of all eight strategies, killed with SIGKILL and started again until they end. "
    "Each must come to the trades of a session nobody killed, byte for byte, by the same journal; "
    "no line that was printed may be missing in the journal."
)
HEADINGS = ["killed", "sessions", "kills", "restarts killed", "lines printed", "lines lost"]
HEADINGS += ["sessions unequal"]


@pytest.mark.study
def test_two_hundred_kills_at_random_moments_change_nothing(write_study, tmp_path):
    day = Simulation(days=1, seed=11, row_seconds=120.0, strikes_each_side=12, expiries=2)
    whole = undisturbed(tmp_path, day)
    counts = kill_at_random(whole, tmp_path, kills=200, seed=2)
    what = "at a random moment, and each restart again"
    write_study("killed-sessions", KILLED, HEADINGS, [(what, *counts)])
    assert (counts.kills, counts.lost_lines, counts.unequal) == (200, 0, 0)


@pytest.mark.study
def test_a_kill_at_every_durable_step_changes_nothing(write_study, small, tmp_path):
    at_steps = kill_at_steps(small, tmp_path, range(1, 10_000))
    restarts = kill_at_steps(small, tmp_path / "again", range(1, small.steps, 10), again=8)
    rows = [
        (f"after each of the {small.steps} durable steps", *at_steps),
        ("after every tenth step, and restarts after their first seven", *restarts),
    ]
    write_study("killed-at-steps", KILLED, HEADINGS, rows)
    assert at_steps.kills == small.steps
    assert [row[-2:] for row in rows] == [(0, 0)] * 2


@pytest.mark.study
def test_flipped_bits_anywhere_in_a_session_stop_the_command(write_study, small, tmp_path):
    ended, rng, rows = small.session(tmp_path / "ended")[0], random.Random(3), []
    killed = small.session(tmp_path / "killed")[0]
    assert in_a_child(small.command(ended)) == 0
    assert in_a_child(dying_at(121, small.command(killed))) == 137
    for place, name in (
        (ended, "journal.sqlite"),
        (ended, "journal.head"),
        (killed, "journal.sqlite"),
        (killed, "journal.sqlite-wal"),
        (killed, "journal.head"),
    ):
        folder = place / "sessions" / NAME
        whole = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        statuses = Counter[int]()
        for _ in range(200):
            data = bytearray(whole[folder / name])
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            (folder / name).write_bytes(data)
            statuses[in_a_child(small.command(place))] += 1
            for path, content in whole.items():
                path.write_bytes(content)
        rows.append((place.name, name, 200, statuses[3], 200 - statuses[3]))
    write_study(
        "flipped-bits",
        "One bit flipped at random in a file of a session that has ended, or of one that was "
        "killed on its way, and the session started again: exit 3, or anything else. The killed "
        "one had acknowledged its last row; a commit that was not acknowledged may be dropped.",
        ["session", "file", "flips", "exit 3", "anything else"],
        rows,
    )
    assert [row[-1] for row in rows] == [0] * len(rows)
    assert in_a_child(small.command(killed)) == 0
    assert small.equals(killed)
