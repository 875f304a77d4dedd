"""Unseen sessions are spent once: every look is on the disk before the figures are computed."""

from __future__ import annotations

import datetime as dt
import json
import multiprocessing
from pathlib import Path

import pytest
from small_models import save

from optiq.errors import BusyError, DamagedError, EvidenceError
from optiq.learn import ledger_file, lockbox, registry
from optiq.learn.gates import GATES, Case, Verdict, deciding, judge, refusal, unseen

DAYS = tuple(dt.date(2025, 11, 24) + dt.timedelta(days=n) for n in range(60))


def case(root: Path, sessions: tuple[dt.date, ...], version: str | None = None) -> Case:
    stored = registry.load(root, "scorer", version or save(root))
    return Case(root, root / "store", "scorer", stored, None, sessions)


def looks(root: Path) -> list[tuple[str, int]]:
    return [(one.version, len(one.sessions)) for one in lockbox.openings(root / "scorer")]


def test_the_look_is_written_down_before_the_judge_computes_anything(tmp_path):
    seen: list[list[tuple[str, int]]] = []

    def gate(asked: Case) -> Verdict:
        seen.append(looks(asked.models))
        return Verdict(True, ("shown",))

    verdict = judge(case(tmp_path, DAYS[:20]), gates={"scorer": gate})
    assert verdict.passed
    assert seen == [[("1.0.0", 20)]]
    (opening,) = lockbox.openings(tmp_path / "scorer")
    assert opening.sessions == DAYS[:20]
    assert opening.model_sha256 == registry.load(tmp_path, "scorer", "1.0.0").model_sha256


def never(_: Case) -> Verdict:
    raise AssertionError("looked")


def test_too_few_unseen_sessions_are_refused_without_a_look(tmp_path):
    verdict = judge(case(tmp_path, DAYS[:1]), gates={"scorer": never})
    assert verdict == Verdict(False, ("1 < 20 unseen sessions",), sessions_needed=19)
    assert looks(tmp_path) == []


@pytest.mark.parametrize(("later", "needed"), [(20, 5), (22, 3), (24, 1)])
def test_a_kind_is_tested_once_per_five_new_sessions(tmp_path, later, needed):
    gates = {"scorer": lambda _: Verdict(False, ("no better",))}
    judge(case(tmp_path, DAYS[:20]), gates=gates)
    again = judge(case(tmp_path, DAYS[:later]), gates={"scorer": never})
    assert not again.passed
    assert again.sessions_needed == needed
    assert "were not in an earlier test" in again.reasons[0]
    assert judge(case(tmp_path, DAYS[:25]), gates=gates).reasons == ("no better",)
    assert looks(tmp_path) == [("1.0.0", 20), ("1.0.2", 25)]


def test_opening_by_hand_is_refused_alike(tmp_path):
    with pytest.raises(EvidenceError, match="3 < 20 unseen sessions") as refused:
        lockbox.open_lockbox(tmp_path, "1.0.0", "e" * 64, DAYS[:3])
    assert refused.value.hint == "about 17 more sessions are needed"


def test_unseen_is_what_neither_of_the_two_has_seen(tmp_path):
    old, new = (
        registry.load(tmp_path, "scorer", save(tmp_path, seen_until=seen))
        for seen in ("2025-12-01", "2025-11-25")
    )
    assert unseen(DAYS, new, None)[0] == dt.date(2025, 11, 26)
    assert unseen(DAYS, new, old)[0] == dt.date(2025, 12, 2)


def test_a_refusal_is_one_line_with_reasons_and_what_it_would_take():
    error = refusal("scorer", "1.0.1", Verdict(False, ("a", "b"), sessions_needed=1_155))
    assert (str(error), error.exit_code) == ("scorer 1.0.1 not promoted: a; b", 4)
    assert error.hint == "about 1,155 more sessions are needed"


def test_every_kind_has_a_gate():
    assert set(GATES) == set(registry.KINDS)


def test_two_who_decide_at_once_are_told_apart(tmp_path):
    with deciding(tmp_path, "scorer"):
        with deciding(tmp_path, "policy"):
            pass
        with pytest.raises(BusyError), deciding(tmp_path, "scorer"):
            pass


def write_many(path: Path, name: str) -> None:
    for number in range(50):
        ledger_file.append(path, {"name": name, "number": number})


def test_writers_at_once_lose_no_line(tmp_path):
    path = tmp_path / "trials.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = ledger_file.read(path)
    for name in "ab":
        assert [one["number"] for one in lines if one["name"] == name] == list(range(50))


def test_a_line_that_a_power_cut_stopped_counts_as_not_written(tmp_path):
    path = tmp_path / "lockbox.jsonl"
    ledger_file.append(path, {"n": 1})
    path.write_bytes(path.read_bytes() + b'{"n": 2, "li')
    assert ledger_file.read(path) == [{"n": 1}]
    ledger_file.append(path, {"n": 3})
    assert ledger_file.read(path) == [{"n": 1}, {"n": 3}]


@pytest.mark.parametrize("spoil", ["change", "drop", "swap", "junk"])
def test_a_ledger_that_was_written_over_is_damaged(tmp_path, spoil):
    path = tmp_path / "lockbox.jsonl"
    for number in range(4):
        ledger_file.append(path, {"sessions": number})
    lines = path.read_text().splitlines()
    if spoil == "change":
        lines[1] = json.dumps(json.loads(lines[1]) | {"sessions": 9}, sort_keys=True)
    elif spoil == "drop":
        del lines[1]
    elif spoil == "swap":
        lines[1], lines[2] = lines[2], lines[1]
    else:
        lines[1] = "[]"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DamagedError, match="line 2 is not what was written"):
        ledger_file.read(path)


def test_nothing_is_added_after_a_line_that_is_not_of_this_ledger(tmp_path):
    path = tmp_path / "lockbox.jsonl"
    path.write_text("{}\n")
    with pytest.raises(DamagedError, match="line 1"):
        ledger_file.append(path, {"sessions": 5})
