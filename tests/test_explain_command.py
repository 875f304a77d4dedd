"""``optiq explain`` and ``optiq backtest --compare`` as commands: screens, JSON, exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from simulated_run import stored

from optiq.cli.app import main
from optiq.run.recorded import read_run

MOMENTUM = (Path(__file__).parents[1] / "examples" / "momentum.py").read_text()


def run(capsys, *words: str) -> tuple[int, dict]:
    status = main([*words, "--json"])
    said = capsys.readouterr()
    return status, json.loads(said.out)


@pytest.fixture
def mine(tmp_path, capsys) -> tuple[Path, Path]:
    """A user's strategy and a run of it with settings of its own."""
    file, out = tmp_path / "mine.py", tmp_path / "data" / "runs" / "first"
    file.write_text(MOMENTUM)
    words = ["backtest", "--strategy", str(file), "--strategy", "institutional_oi"]
    words += ["--set", "limits.max_open=1", "--store", str(stored().root), "--out", str(out)]
    status, summary = run(capsys, *words)
    assert status == 0
    assert summary["strategy_sources"] == {"mine": str(file.resolve())}
    assert len(summary["sessions"]) == 4
    return file, out


def test_the_latest_run_is_told_with_its_own_settings(mine, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPTIQ_LIMITS_MAX_OPEN", "5")  # the run's own settings count
    status, story = run(capsys, "explain", "1")
    assert status == 0
    assert story["net_pnl"] == pytest.approx(story["gross_pnl"] - story["charges"])
    status, again = run(capsys, "explain", story["trade"], "--run", "first")
    assert (status, again["rows"]) == (0, story["rows"])
    decision = f"{story['decision']['row']}:{story['strategy']}:{story['index']}"
    status, same = run(capsys, "explain", "--decision", decision, "--date", story["date"])
    assert (status, same["trade"]) == (0, story["trade"])
    assert main(["explain", "1", "--all-rows"]) == 0
    assert story["trade"] in capsys.readouterr().out


def test_a_strategy_that_changed_since_is_said_with_status_3(mine, capsys):
    file, out = mine
    rule = "max_hold_minutes=params.max_hold_minutes"
    assert rule in MOMENTUM
    file.write_text(MOMENTUM.replace(rule, "max_hold_minutes=1.0"))
    trades = read_run(out).trades
    trade = trades["trade_id"][trades["strategy"] == "mine"][0]
    status, said = run(capsys, "explain", trade, "--run", str(out))
    assert status == 3
    assert "walked again, it" in said["error"]["message"]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([], 2),
        (["1", "--decision", "0:mine:0"], 2),
        (["9999"], 10),
        (["--decision", "0:mine:0"], 2),  # of which day?
        (["1", "--run", "nowhere"], 2),
    ],
)
def test_what_cannot_be_told(mine, capsys, words, status):
    where = [] if "--run" in words else ["--run", str(mine[1])]
    found, said = run(capsys, "explain", *words, *where)
    assert (found, said["ok"]) == (status, False)


def test_a_comparison_writes_runs_that_can_be_told(tmp_path, capsys):
    out = tmp_path / "compared"
    words = ["backtest", "--compare", "--store", str(stored().root), "--out", str(out)]
    status, result = run(capsys, *words)
    assert status == 0
    assert result["together"]["strategy"] == "together"
    names = [line["strategy"] for line in result["strategies"] if line["trades"]]
    assert len(names) > 3
    for name in [*names, "together"]:
        status, story = run(capsys, "explain", "1", "--run", str(out / name))
        assert status == 0
        assert story["strategy"] in names
