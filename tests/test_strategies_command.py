"""``optiq strategies``: what a person sees, what a program reads, and the exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from optiq.cli.app import main
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.trade.strategies import BUILT_IN

MOMENTUM = (Path(__file__).parents[1] / "examples" / "momentum.py").read_text()
HONEST = "moved[back:] = panel.spot[back:] / panel.spot[:-back] - 1.0"
CHEAT = "moved[back:-1] = panel.spot[back + 1 :] / panel.spot[: -back - 1] - 1.0"


@pytest.fixture(scope="module")
def days(tmp_path_factory) -> str:
    root = tmp_path_factory.mktemp("store")
    store_simulation(Simulation(days=2, seed=5), Store(root))
    return str(root)


@pytest.fixture
def cheat(tmp_path) -> str:
    assert HONEST in MOMENTUM
    path = tmp_path / "cheat.py"
    path.write_text(MOMENTUM.replace(HONEST, CHEAT))
    return str(path)


def check(capsys, *arguments: str) -> tuple[int, dict]:
    status = main(["strategies", "check", *arguments, "--json"])
    said = capsys.readouterr()
    assert said.err == ""
    return status, json.loads(said.out)


def test_all_that_ship_are_checked_on_every_stored_day(days, capsys):
    status, result = check(capsys, "all", "--store", days)
    assert status == 0
    assert result["ok"]
    assert [one["strategy"] for one in result["strategies"]] == [
        *BUILT_IN,
        *(f"{name}, when it is silent" for name in ("quantum_edge", "opening_range", "iv_rank")),
        "features of the market",
        "features of contracts",
    ]
    for one in result["strategies"]:
        assert one["verdict"] in ("ok", "silent")
        assert one["days"] == 2
        assert one["cuts"] >= 20
        assert one["rows_compared"] >= 20 * one["days"]
        assert one["mismatch"] is None
    assert any(one["orders_compared"] > 1000 for one in result["strategies"])


def test_a_cheat_is_named_and_the_status_is_3(days, cheat, capsys):
    status, result = check(capsys, "gamma_scalping", cheat, "--store", days)
    assert status == 3
    assert not result["ok"]
    assert result["error"]["code"] == "looks_ahead"
    assert result["error"]["message"].startswith("strategy 'cheat' contradicts itself on NIFTY 20")
    honest, caught = result["strategies"]
    assert (honest["verdict"], caught["verdict"]) == ("ok", "mismatch")
    assert set(caught["mismatch"]) == {
        *("subject", "underlying", "date", "row", "time", "contract", "where", "then", "whole")
    }


def test_a_person_sees_a_line_a_strategy_and_the_contradiction(days, cheat, capsys):
    assert main(["strategies", "check", "gamma_scalping", cheat, "--store", days]) == 3
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == [
        *("strategy", "days", "cuts", "rows", "compared", "compared", "result")
    ]
    assert out[1].split()[0] == "gamma_scalping"
    assert out[1].split()[-1] == "ok"
    assert out[2].endswith("contradicts itself")
    assert out[3].startswith("strategy 'cheat' contradicts itself on NIFTY")
    assert "(a rule may use a row and what came before it: " in out[3]
    assert len(out) == 4


def test_one_day_and_the_seed_give_one_answer(days, capsys):
    date = Store(days).days()[1].date.isoformat()
    arguments = ("institutional_oi", "--store", days, "--date", date)
    one, again, other = (
        check(capsys, *arguments, "--seed", seed)[1]["strategies"][0] for seed in ("1", "1", "2")
    )
    assert one == again
    assert one["days"] == other["days"] == 1
    assert one["rows_compared"] != other["rows_compared"]


def test_more_cuts_are_more_cuts(days, capsys):
    few, many = (
        check(capsys, "gamma_scalping", "--store", days, "--cuts", cuts)[1]["strategies"][0]
        for cuts in ("0", "60")
    )
    assert few["cuts"] + 40 < many["cuts"]


def test_a_strategy_without_orders_is_not_called_proved(days, tmp_path, capsys):
    quiet = tmp_path / "quiet.py"
    quiet.write_text(MOMENTUM.replace("move: float = 0.0015", "move: float = 0.9"))
    status, result = check(capsys, str(quiet), "--store", days)
    assert status == 0
    assert result["strategies"][0]["verdict"] == "silent"
    assert main(["strategies", "check", str(quiet), "--store", days]) == 0
    assert "nothing to compare" in capsys.readouterr().out


def test_its_settings_are_those_of_a_run(days, cheat, capsys):
    """The cheat peeks only where the move it waits for happens at all."""
    status, _ = check(capsys, cheat, "--store", days, "--set", "cheat.move=0.9")
    assert status == 0


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("--date 2025-01-01 --from 2025-01-01", 2, "--date and --from or --to"),
        ("--date 2024-01-01", 10, "no NIFTY day in"),
        ("--underlying SENSEX", 10, "holds no SENSEX"),
        ("--cuts -1", 2, "Invalid value for '--cuts'"),
    ],
)
def test_what_cannot_be_checked_is_one_line(words, status, message, days, capsys):
    arguments = ["strategies", "check", "gamma_scalping", "--store", days, *words.split()]
    assert main(arguments) == status
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_the_list_has_a_line_for_each(capsys):
    assert main(["strategies", "ls"]) == 0
    out = capsys.readouterr().out
    for name in BUILT_IN:
        assert f" {name} " in out
