"""The commands around the direction model, as a person types them."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from functools import cache
from pathlib import Path

import pytest
from simulated_run import UNDERLYING, stored

from optiq.cli.app import main
from optiq.errors import InputError
from optiq.learn import registry
from optiq.learn.direction.fit import device_in_words
from optiq.learn.direction.serving import direction_named
from optiq.learn.direction.windows import NAMES
from optiq.run.sessions import FOLDER

QUICK = ("--seeds", "1", "--epochs", "1", "--folds", "1", "--workers", "1", "--device", "cpu")


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="optiq-direction-command-")


def dates() -> list[str]:
    return [str(day.date) for day in stored().days(UNDERLYING)]


@cache
def models() -> Path:
    """A candidate of the first three sessions, trained by the command itself."""
    folder = Path(_folder().name)
    asked = ["train-direction", "--date", dates()[2], "--store", str(stored().root)]
    assert main([*asked, "--models", str(folder), *QUICK, "--json"]) == 0
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main([*arguments, "--store", str(stored().root)])
    return status, *capsys.readouterr()


def test_a_training_says_what_it_did(capsys, tmp_path) -> None:
    asked = ("train-direction", "--date", dates()[2], "--models", str(tmp_path), *QUICK, "--json")
    status, out, _ = run(capsys, *asked)
    told = json.loads(out)
    assert (status, told["ok"], told["promoted"], told["serves"]) == (0, True, False, None)
    assert told["device"] == "the CPU"
    assert told["sessions"] == {"first": dates()[0], "last": dates()[2], "n": 3}
    assert {"prior", "logistic", "lightgbm", "transformer"} == {
        *told["baselines"],
        told["figures_of"],
    }
    assert all(check["passed"] for check in told["audit"])
    assert list(tmp_path.glob("direction/checkpoints/*")) == []


@pytest.mark.parametrize(
    ("asked", "taken"), [("auto", ("the CPU: no CUDA", "the GPU, ")), ("cpu", ("the CPU",))]
)
def test_the_device_that_is_taken_is_named(asked: str, taken: tuple[str, ...]) -> None:
    assert device_in_words(asked).startswith(taken)


def test_an_unknown_device_is_refused_before_anything_is_read(capsys) -> None:
    status, _, err = run(capsys, "train-direction", "--device", "abacus")
    assert (status, "no device 'abacus'" in err) == (2, True)


def test_too_few_windows_end_with_four(capsys, tmp_path) -> None:
    asked = ("train-direction", "--lookback", "1d", "--apart", "200", "--models", str(tmp_path))
    status, _, err = run(capsys, *asked)
    assert status == 4
    assert "labelled windows in 1 sessions" in err


def test_a_forecast_is_explained_and_drawn(capsys, tmp_path) -> None:
    plot = tmp_path / "look.svg"
    asked = ("explain", "--direction", "--date", dates()[3], "--at", "11:00")
    status, out, _ = run(capsys, *asked, "--models", str(models()), "--plot", str(plot), "--json")
    told = json.loads(out)
    assert status == 0
    assert sum(told["probabilities"].values()) == pytest.approx(1.0)
    assert {feature["name"] for feature in told["features"]} == set(NAMES)
    shares = [feature["share"] for feature in told["features"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1.0, abs=0.2)
    assert told["rows"][-1]["ts"] == told["ts"]
    assert told["in_sample"] is False
    assert plot.read_text().startswith("<svg")
    status, out, _ = run(capsys, *asked, "--models", str(models()))
    assert status == 0
    assert "rows attended to" in out


def test_a_moment_before_the_first_quote_is_missing(capsys) -> None:
    asked = ("explain", "--direction", "--date", dates()[3], "--at", "08:00")
    status, _, err = run(capsys, *asked, "--models", str(models()))
    assert status == 10
    assert "no snapshot" in err


def test_a_backtest_names_the_version_and_says_what_is_in_sample(capsys, tmp_path) -> None:
    asked = ("backtest", "--strategy", "quantum_edge", "--models", str(models()))
    version = registry.versions(models(), "direction")[-1]
    by_version = (*asked, "--direction", version, "--out", str(tmp_path / "a"), "--json")
    status, out, _ = run(capsys, *by_version)
    assert status == 2
    assert "has learnt from 3 of these" in json.loads(out)["error"]["message"]
    status, out, err = run(capsys, *by_version, "--in-sample")
    assert status == 0
    assert json.loads(out)["direction"] == version
    assert "3 of these sessions: in-sample" in err
    status, out, _ = run(capsys, *asked, "--out", str(tmp_path / "b"), "--json")
    assert (status, json.loads(out)["direction"]) == (0, None)  # nobody was promoted
    assert any("no direction model" in note for note in json.loads(out)["notes"])


def test_a_paper_session_is_not_traded_by_what_has_learnt_from_it(capsys) -> None:
    version = registry.versions(models(), "direction")[-1]
    asked = ("paper-run", "--strategy", "quantum_edge", "--session", "seen", "--plain")
    known = (*asked, "--date", dates()[2], "--models", str(models()))
    status, _, err = run(capsys, *known, "--direction", version)
    assert status == 2
    assert "has learnt from 1 of these 1 sessions" in err
    assert not (stored().root / FOLDER / "seen").exists()


def test_an_index_it_has_not_learnt_is_refused_before_the_run() -> None:
    version = registry.versions(models(), "direction")[-1]
    unseen = [dt.date.fromisoformat(dates()[3])]
    with pytest.raises(InputError, match="has learnt NIFTY, not BANKNIFTY"):
        direction_named(models(), version, (), unseen, "BANKNIFTY")
    assert direction_named(models(), version, (), unseen, "NIFTY") is not None


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [("9.9.9", 10, "no direction 9.9.9"), ("champion", 2, "promoted"), ("best", 2, "no version")],
)
def test_a_model_that_is_not_there_is_refused(capsys, name, status, words) -> None:
    asked = ("backtest", "--strategy", "quantum_edge", "--models", str(models()))
    found, _, err = run(capsys, *asked, "--direction", name)
    assert found == status
    assert words in err


def test_paper_trading_names_the_version_and_equals_the_backtest(capsys, tmp_path) -> None:
    """Journaled with its version, proved again from the journal, refused under another."""
    version = registry.versions(models(), "direction")[-1]
    asked = ("paper-run", "--strategy", "quantum_edge", "--date", dates()[3])
    named = ("--models", str(models()), "--session", f"direction-{tmp_path.name}")
    status, _, _ = run(capsys, *asked, *named, "--direction", version, "--json")
    assert status == 0
    status, _, err = run(capsys, *asked, *named, "--direction", "none")
    assert status == 2
    assert "another direction" in err
    status, out, _ = run(capsys, "parity", named[-1], "--models", str(models()), "--json")
    assert (status, json.loads(out)["mismatches"]) == (0, 0)


def test_without_a_model_nothing_is_claimed(capsys, tmp_path) -> None:
    status = main(["models", "show", "direction", "--models", str(tmp_path)])
    assert status == 0
    out = capsys.readouterr().out
    assert "not measured" in out
    assert "%" not in out
