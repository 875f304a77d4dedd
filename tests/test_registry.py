"""Models are stored whole, verified before use, and promoted by one swap that remembers."""

from __future__ import annotations

import datetime as dt
import subprocess

import pytest
from small_models import FEATURES, FILES, NOW, card, promote, save

from optiq.errors import BusyError, InputError, MissingDataError
from optiq.learn import registry
from optiq.market.durable import held

DAY = dt.date.fromisoformat


def test_the_first_is_1_0_0_and_versions_grow_by_what_changed(tmp_path):
    other = registry.features_hash([*FEATURES, "one_more"])
    assert save(tmp_path) == "1.0.0"
    assert save(tmp_path) == "1.0.1"
    assert save(tmp_path, features_hash=other) == "1.1.0"
    assert save(tmp_path, features_hash=other) == "1.1.1"
    assert save(tmp_path, "policy") == "1.0.0"
    assert registry.versions(tmp_path, "scorer") == ["1.0.0", "1.0.1", "1.1.0", "1.1.1"]


def test_ten_comes_after_nine(tmp_path):
    found = [save(tmp_path) for _ in range(12)]
    assert found[-1] == "1.0.11"
    assert registry.versions(tmp_path, "scorer") == found


def test_a_version_comes_back_as_it_was_saved(tmp_path):
    stored = registry.load(tmp_path, "scorer", save(tmp_path))
    assert stored.files == FILES
    assert stored.card == card() | {
        "kind": "scorer",
        "version": "1.0.0",
        "parent": None,
        "created": "2025-12-01T12:00:00+00:00",
        "advice": "Not investment advice.",
        "hashes": {"data": "d" * 64, "code": "optiq 0.1.0", "model": stored.model_sha256},
    }
    tool = subprocess.run(
        ["sha256sum", stored.folder / "model.txt"], capture_output=True, text=True, check=True
    )
    assert tool.stdout.split()[0] in (stored.folder / "MANIFEST.sha256").read_text()


def test_the_page_is_made_from_the_card_that_was_stored(tmp_path):
    version = registry.save(
        tmp_path, "scorer", FILES, card(), render=lambda told: f"<p>{told['version']}</p>", now=NOW
    )
    assert (tmp_path / "scorer" / version / "card.html").read_text() == "<p>1.0.0</p>"


def test_who_served_a_session_is_never_told_differently_afterwards(tmp_path):
    for _ in range(3):
        save(tmp_path)
    promote(tmp_path, "1.0.0", "2025-11-21")
    promote(tmp_path, "1.0.1", "2025-12-15")
    wanted = {"2025-11-20": None, "2025-11-21": "1.0.0", "2025-12-14": "1.0.0"}
    said = {day: registry.at(tmp_path, "scorer", DAY(day)) for day in wanted}
    assert said == wanted
    assert registry.at(tmp_path, "scorer", DAY("2025-12-15")) == "1.0.1"
    evening = dt.datetime(2025, 12, 18, 13, 0, tzinfo=dt.UTC)
    registry.rollback(tmp_path, "scorer", now=evening)
    later = {"2025-12-18": "1.0.1", "2025-12-19": "1.0.0", **wanted}
    assert {day: registry.at(tmp_path, "scorer", DAY(day)) for day in later} == later


def test_a_rollback_before_the_open_is_for_today_and_is_itself_written_down(tmp_path):
    save(tmp_path), save(tmp_path)
    promote(tmp_path, "1.0.0", "2025-11-21")
    promote(tmp_path, "1.0.1", "2025-12-01")
    morning = dt.datetime(2025, 12, 3, 3, 0, tzinfo=dt.UTC)  # 08:30 in India
    done = registry.rollback(tmp_path, "scorer", reason="it lost", now=morning)
    assert (done.version, done.takes_effect, done.act) == ("1.0.0", DAY("2025-12-03"), "rollback")
    assert [p.version for p in registry.promotions(tmp_path, "scorer")] == [
        "1.0.0",
        "1.0.1",
        "1.0.0",
    ]
    again = registry.rollback(tmp_path, "scorer", now=morning)
    assert again.version == "1.0.1"


def test_a_rollback_serves_no_session_that_the_version_has_seen(tmp_path):
    save(tmp_path, seen_until="2026-03-02"), save(tmp_path)
    promote(tmp_path, "1.0.0", "2026-03-03")
    promote(tmp_path, "1.0.1", "2026-03-04")
    assert registry.rollback(tmp_path, "scorer", now=NOW).takes_effect == DAY("2026-03-03")


def test_aliases_follow_the_decisions(tmp_path):
    assert registry.aliases(tmp_path, "scorer") == {
        "champion": None,
        "candidate": None,
        "previous": None,
    }
    save(tmp_path), save(tmp_path)
    promote(tmp_path, "1.0.0", "2025-11-21")
    wanted = {"champion": "1.0.0", "candidate": "1.0.1", "previous": None}
    assert registry.aliases(tmp_path, "scorer") == wanted
    promote(tmp_path, "1.0.1", "2025-12-01")
    wanted = {"champion": "1.0.1", "candidate": None, "previous": "1.0.0"}
    assert registry.aliases(tmp_path, "scorer") == wanted
    registry.rollback(tmp_path, "scorer", now=NOW)
    wanted = {"champion": "1.0.0", "candidate": None, "previous": "1.0.1"}
    assert registry.aliases(tmp_path, "scorer") == wanted
    assert registry.load(tmp_path, "scorer", "champion").version == "1.0.0"


def test_no_session_is_served_by_what_has_seen_it(tmp_path):
    save(tmp_path)
    with pytest.raises(InputError, match="has seen 2025-11-20 and cannot serve 2025-11-20"):
        promote(tmp_path, "1.0.0", "2025-11-20")


def test_nothing_to_return_to_is_said(tmp_path):
    save(tmp_path)
    promote(tmp_path, "1.0.0", "2025-11-21")
    with pytest.raises(MissingDataError, match="no earlier scorer"):
        registry.rollback(tmp_path, "scorer")


@pytest.mark.parametrize(
    ("kind", "version", "words"),
    [
        ("../scorer", "1.0.0", "no kind of model"),
        ("scorer", "../1.0.0", "no version"),
        ("scorer", "1.0.0/..", "no version"),
        ("scorer", "1.0.00", "no version"),
        ("scorer", "", "no version"),
        ("scorer", "1.0.0\n", "no version"),
    ],
)
def test_names_from_outside_cannot_leave_the_folder(tmp_path, kind, version, words):
    with pytest.raises(InputError, match=words):
        registry.load(tmp_path, kind, version)


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "", ".hidden", "MANIFEST.sha256", "m.pkl", "m.joblib"]
)
def test_files_with_such_names_are_not_stored(tmp_path, name):
    with pytest.raises(InputError):
        registry.save(tmp_path, "scorer", {name: b"x"}, card())
    assert registry.versions(tmp_path, "scorer") == []


@pytest.mark.parametrize(
    "change",
    [
        {"accuracy": 0.834},
        {"notes": {"test accuracy": 0.834}},
        {"figures": [{"metric": "accuracy", "value": 0.834}]},
        {"baselines": {"majority": [{"metric": "accuracy", "value": 0.5}]}},
        {"tables": {"deciles": {"rows": []}}},
        {"seen_until": "yesterday"},
        {"label": float("nan")},
    ],
)
def test_a_card_with_a_figure_that_was_not_measured_out_of_sample_is_refused(tmp_path, change):
    with pytest.raises(InputError, match="model card"):
        save(tmp_path, **change)
    assert registry.versions(tmp_path, "scorer") == []


def test_what_an_interrupted_write_left_is_swept_and_never_listed(tmp_path):
    save(tmp_path)
    left = tmp_path / "scorer" / ".tmp-0123"
    left.mkdir()
    (left / "model.txt").write_text("half")
    assert registry.versions(tmp_path, "scorer") == ["1.0.0"]
    save(tmp_path)
    assert not left.exists()


def test_reading_needs_no_lock_and_writes_nothing(tmp_path):
    save(tmp_path), promote(tmp_path, "1.0.0", "2025-11-21")
    before = sorted(tmp_path.rglob("*"))
    with held(tmp_path / "scorer" / ".lock", "taken", ""):
        assert registry.load(tmp_path, "scorer", "champion").version == "1.0.0"
    registry.versions(tmp_path, "policy")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("act", [save, lambda root: promote(root, "1.0.0", "2025-11-21")])
def test_who_comes_second_is_told_so(tmp_path, act):
    save(tmp_path)
    with (
        held(tmp_path / "scorer" / ".lock", "taken", ""),
        pytest.raises(BusyError, match="another run is writing the scorer models"),
    ):
        act(tmp_path)
