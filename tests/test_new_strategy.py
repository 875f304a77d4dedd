"""``optiq strategies new``: what it writes works, and it never takes anything away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from optiq.cli.app import main


def new(capsys, *arguments: str) -> tuple[int, str, str]:
    status = main(["strategies", "new", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_it_writes_two_files_and_says_what_is_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, out, _ = new(capsys, "range_break")
    assert status == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "range_break.py",
        "test_range_break.py",
    ]
    assert out == (
        "Wrote range_break.py and test_range_break.py. Next:\n"
        "  pytest test_range_break.py\n"
        "  optiq strategies check range_break.py\n"
        "  optiq backtest --strategy range_break.py\n"
    )
    assert "my_idea" not in (tmp_path / "range_break.py").read_text()
    assert "my_idea" not in (tmp_path / "test_range_break.py").read_text()


def test_its_own_test_passes_as_it_is(tmp_path, capsys):
    status, out, _ = new(capsys, "range_break", "--folder", str(tmp_path / "ideas"), "--json")
    assert status == 0
    written = json.loads(out)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=Path(written["test"]).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.parametrize("there", ["mine.py", "test_mine.py"])
def test_nothing_is_overwritten(there, tmp_path, capsys):
    (tmp_path / there).write_text("years of work")
    status, _, err = new(capsys, "mine", "--folder", str(tmp_path))
    assert status == 73
    assert err.startswith(f"optiq: {tmp_path / there} exists (")
    assert err.count("\n") == 1
    assert [path.read_text() for path in tmp_path.iterdir()] == ["years of work"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my-idea", "'my-idea' is no Python identifier"),
        ("my_idea.py", "'my_idea.py' is no Python identifier"),
        ("../mine", "'../mine' is no Python identifier"),
        ("class", "'class' is no Python identifier"),
        ("", "'' is no Python identifier"),
        ("gamma_scalping", "'gamma_scalping' is the name of a strategy of optiq"),
        ("limits", "'limits' means something else in commands and settings"),
        ("numpy", "'numpy' is the name of something installed, which your file would hide"),
        ("statistics", "'statistics' is the name of something installed"),
    ],
)
def test_a_name_that_would_not_do_is_refused(name, message, tmp_path, capsys):
    status, _, err = new(capsys, name, "--folder", str(tmp_path / "ideas"))
    assert status == 2
    assert err.startswith(f"optiq: {message}")
    assert err.count("\n") == 1
    assert not (tmp_path / "ideas").exists()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    status, _, err = new(capsys, "mine", "--folder", str(tmp_path / "file" / "ideas"))
    assert status == 73
    assert err.count("\n") == 1
