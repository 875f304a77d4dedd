"""Every check of the doctor can say yes, and can say no with a remedy."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from optiq.cli.app import main
from optiq.cli.doctor import (
    EXTRAS,
    clock,
    dependencies,
    disk_sync,
    folder,
    installed_versions,
    kernel_cache,
    python_version,
    space,
    todays_session,
)


def test_a_working_installation_has_no_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--store", str(tmp_path / "store"), "--models", str(tmp_path / "models")]
    assert main(["doctor", "--json", *folders]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    names = [check["name"] for check in told["checks"]]
    assert {"Python", "numba", "extra learn", "store folder", "clock", "disk sync"} <= set(names)
    assert not (tmp_path / "store").exists()  # looking changes nothing

    assert main(["doctor", *folders]) == 0
    assert "store folder" in capsys.readouterr().out


def test_a_store_that_cannot_be_made_is_a_problem_with_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store").write_text("a file")
    arguments = ["doctor", "--store", str(tmp_path / "store" / "deep"), "--json"]
    assert main(arguments) == 73
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert "is not a folder" in told["error"]["message"]
    assert told["error"]["hint"]


@pytest.mark.parametrize(
    ("version", "state"),
    [((3, 10), "problem"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "problem")],
)
def test_python(version: tuple[int, int], state: str) -> None:
    assert python_version(version).state == state


def test_a_missing_dependency_is_a_problem_and_a_missing_extra_is_not() -> None:
    found = {check.name: check for check in dependencies({"numpy": "2.4.6"})}
    assert (found["numpy"].state, found["numpy"].found) == ("ok", "2.4.6")
    assert (found["numba"].state, found["numba"].exit_code) == ("problem", 10)
    for extra in EXTRAS:
        check = found[f"extra {extra}"]
        assert (check.state, check.remedy) == ("ok", f"pip install 'optiq[{extra}]'")
        assert EXTRAS[extra] in check.found


def test_every_extra_of_the_package_is_explained() -> None:
    from importlib import metadata

    offered = set(metadata.metadata("optiq").get_all("Provides-Extra") or ())
    assert offered - {"dev"} == set(EXTRAS)


def test_what_is_installed_is_found() -> None:
    assert {"numpy", "scikit-learn"} <= set(installed_versions())
    assert all(check.state == "ok" for check in dependencies(installed_versions()))


def test_the_kernel_cache_is_cold_then_warm(tmp_path: Path) -> None:
    environ = {"NUMBA_CACHE_DIR": str(tmp_path)}
    assert kernel_cache(environ).found.startswith("cold")
    (tmp_path / "walk_1").mkdir()
    (tmp_path / "walk_1" / "walk.advance-1.py311.nbi").touch()
    assert kernel_cache(environ).found.startswith("warm: 1 ")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    assert folder("store", tmp_path / "a" / "b").state == "ok"
    denied = folder("store", Path("/proc/self/store"))
    assert (denied.state, denied.exit_code in (73, 77)) == ("problem", True)


@pytest.mark.parametrize(
    ("free_gb", "state", "exit_code"), [(0.1, "problem", 73), (1.0, "warning", 0), (50.0, "ok", 0)]
)
def test_free_space(free_gb: float, state: str, exit_code: int) -> None:
    check = space("store folder", free_gb, "")
    assert (check.state, check.exit_code) == (state, exit_code)


def test_the_disk_is_measured_where_it_can_be(tmp_path: Path) -> None:
    assert "ms a write" in disk_sync(tmp_path).found
    assert disk_sync(tmp_path / "nowhere").state == "warning"


@pytest.mark.parametrize(
    ("moment", "state", "found"),
    [
        ("2025-11-20T06:00", "ok", "regular, 09:15-15:30 IST"),
        ("2026-08-03T06:00", "ok", "regular, 09:15-15:40 IST"),
        ("2025-11-22T06:00", "ok", "none on Saturday 2025-11-22"),
        ("2025-11-21T20:00", "ok", "none on Saturday 2025-11-22"),  # it is tomorrow in India
        ("1999-01-04T06:00", "warning", "1999"),
    ],
)
def test_todays_session(moment: str, state: str, found: str) -> None:
    check = todays_session(dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC))
    assert check.state == state
    assert found in check.found


def test_the_clock_shows_india() -> None:
    moment = dt.datetime(2025, 11, 20, 20, 0, tzinfo=dt.UTC)
    assert clock(moment).found == "2025-11-21 01:30:00 IST"
