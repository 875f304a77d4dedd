from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chains import DAY, quotes, write
from typer.testing import CliRunner, Result

from optiq.cli.app import app
from optiq.errors import AccessError


def optiq(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def answer(*words: object, code: int = 0) -> dict[str, Any]:
    done = optiq(*words, "--json")
    assert done.exit_code == code, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store with one morning that has a hole."""
    table = quotes(minutes=40)
    hole = table.timestamp.dt.minute.between(30, 44) & (table.timestamp.dt.hour == 10)
    answer("ingest", write(table[~hole], tmp_path / "in" / "a.csv"), "--store", tmp_path / "s")
    return tmp_path / "s"


def test_ingest_prints_its_keys(tmp_path: Path) -> None:
    path = write(quotes(), tmp_path / "in" / "a.csv")
    found = answer("ingest", path, "--store", tmp_path / "s")
    assert found == {
        "ok": True,
        "files": 1,
        "rows_in": 24,
        "rows_kept": 24,
        "duplicates": 0,
        "quarantined": 0,
        "days": [f"NIFTY {DAY}"],
        "notes": [],
    }
    text = optiq("ingest", path, "--store", tmp_path / "s").stdout
    assert "24 rows of 1 sources: 0 kept, 24 duplicates, 0 quarantined" in text


def test_ingest_takes_the_good_and_lists_the_bad(tmp_path: Path) -> None:
    write(quotes(), tmp_path / "in" / "a.csv")
    (tmp_path / "in" / "b.csv").write_text("x,y,z\n1,2,3\n")
    found = answer("ingest", tmp_path / "in", "--store", tmp_path / "s", code=2)
    assert (found["ok"], found["rows_kept"]) == (False, 24)
    assert "b.csv: no column for" in found["error"]["message"]
    assert "left out" in optiq("ingest", tmp_path / "in", "--store", tmp_path / "s").stdout


def test_ingest_of_nothing_good_is_one_error(tmp_path: Path) -> None:
    for name in "ab":
        write(quotes()[["timestamp", "ltp"]], tmp_path / "in" / f"{name}.csv")
    done = subprocess.run(
        [sys.executable, "-m", "optiq.cli", "ingest", "in", "--store", "s"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "in/a.csv: no column for strike" in line
    assert "(and 1 more)" in line


@pytest.mark.parametrize("name", ["map.toml", "map.json"])
def test_ingest_reads_a_map(tmp_path: Path, name: str) -> None:
    table = quotes().rename(columns={"strike_price": "K"})
    path = write(table, tmp_path / "in" / "a.csv")
    mapping = tmp_path / name
    mapping.write_text('{"strike": "K"}' if name.endswith("json") else 'strike = "K"\n')
    found = answer("ingest", path, "--map", mapping, "--store", tmp_path / "s")
    assert found["rows_kept"] == 24


def test_ls_lists_days(store: Path) -> None:
    (day,) = answer("data", "ls", "--store", store)["days"]
    assert (day["underlying"], day["date"], day["snapshots"]) == ("NIFTY", str(DAY), 25)
    assert "10:20-10:59" in optiq("data", "ls", "--store", store).stdout


def test_ls_of_an_empty_store(tmp_path: Path) -> None:
    assert answer("data", "ls", "--store", tmp_path)["days"] == []
    assert "optiq ingest" in optiq("data", "ls", "--store", tmp_path).stdout


def test_ls_loads_no_tables(store: Path) -> None:
    code = (
        "import sys; from optiq.cli.app import app; "
        f"app(['data', 'ls', '--store', {str(store)!r}], standalone_mode=False); "
        "print(sorted({'pandas', 'pyarrow', 'numpy', 'numba'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_show_answers_what_notes_get_wrong(store: Path) -> None:
    found = answer("data", "show", "--underlying", "NIFTY", "--date", DAY, "--store", store)
    keys = "underlying date rows snapshots contracts strikes expiries first last median_gap_s holes"
    assert set(keys.split()) <= set(found)
    assert (found["rows"], found["snapshots"], found["strikes"]) == (150, 25, 3)
    assert found["strike_step"] == 50.0
    assert found["first"] == f"{DAY}T10:20:00+05:30"
    assert found["median_gap_s"] == 60.0
    assert found["holes"] == [
        {"from": f"{DAY}T10:29:00+05:30", "to": f"{DAY}T10:45:00+05:30"},
    ]
    text = optiq("data", "show", "--store", store).stdout
    assert "10:20:00 IST" in text
    assert "10:29-10:45 (16 min)" in text


def test_show_of_a_day_that_is_not_there(store: Path) -> None:
    done = optiq("data", "show", "--date", "2025-11-19", "--store", store)
    assert done.exit_code != 0
    found = type(done.exception).__name__
    assert found == "MissingDataError"


def test_check_lists_warnings_and_ends_well(store: Path) -> None:
    found = answer("data", "check", "--store", store)
    assert found["days"] == 1
    assert {warning["what"] for warning in found["warnings"]} == {"holes"}
    assert "1 session checked, 1 warnings" in optiq("data", "check", "--store", store).stdout


def test_repair_rebuilds_a_manifest(store: Path) -> None:
    assert answer("data", "repair", "--store", store)["repaired"] == []
    next(store.glob("manifest/*/*.json")).unlink()
    (line,) = answer("data", "repair", "--store", store)["repaired"]
    assert "manifest rebuilt" in line
    assert len(answer("data", "ls", "--store", store)["days"]) == 1


def test_one_snapshot_has_no_gap(tmp_path: Path) -> None:
    path = write(quotes(minutes=1), tmp_path / "in" / "a.csv")
    answer("ingest", path, "--tz", "Asia/Kolkata", "--store", tmp_path / "s")
    found = answer("data", "show", "--store", tmp_path / "s")
    assert (found["snapshots"], found["median_gap_s"]) == (1, None)
    text = optiq("data", "show", "--store", tmp_path / "s").stdout
    assert "median gap" in text
    assert "nan" not in text


def test_a_folder_that_may_not_be_read_is_no_empty_one(tmp_path: Path) -> None:
    write(quotes(), tmp_path / "in" / "a.csv")
    closed = tmp_path / "in" / "closed"
    closed.mkdir(mode=0)
    if os.access(closed, os.R_OK):
        pytest.skip("this user may read every folder")
    done = optiq("ingest", tmp_path / "in", "--store", tmp_path / "s")
    closed.chmod(0o755)
    assert isinstance(done.exception, AccessError)
    assert str(done.exception) == f"{closed}: may not be read"
