"""``--policy PATH``: a model in a folder serves a run, and goes on when the folder has gone."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
import json
import shutil
from pathlib import Path

import pytest
import torch
from paper_days import dying_at, in_a_child
from small_models import NOW, card
from small_policies import files_of, fitted_on

from optiq.cli.app import main
from optiq.learn import registry
from optiq.learn.policy.bundle import KIND
from optiq.learn.policy.episode_table import OBSERVED
from optiq.learn.version_folder import MANIFEST
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.plan import Plan
from optiq.run.sessions import read_session

DAY = dt.date(2025, 1, 1)
AFTER_SOME_ROWS = 60
"""Durable steps: the version stored, the session begun, and many rows to come."""


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> Path:
    """A simulated day, and a registry of elsewhere: policy 1.0.0 has seen 2024, 1.0.1 the day,
    1.0.2 is 1.0.0 with other weights; a scorer; a policy whose weights would run code."""
    root = tmp_path_factory.mktemp("folder")
    store_simulation(Simulation(days=1, seed=11, row_seconds=120.0), Store(root / "store"))
    ridge, about = fitted_on(root / "store")
    files = {k: v for k, v in files_of(ridge, about).items() if not k.endswith(".txt")}
    other = {**files, "note.json": b"{}"}
    for content, seen in ((files, "2024-12-31"), (files, str(DAY)), (other, "2024-12-31")):
        saved(root, content, seen)
    saved(root, {**files, "sac-0.pt": poisoned(root)}, "2024-12-31")
    saved(root, {"observed.json": b"{}"}, "2024-12-31")
    registry.save(root / "theirs", "scorer", {"model.json": b"{}"}, card(), now=NOW)
    return root


def saved(root: Path, files: dict[str, bytes], seen: str) -> None:
    registry.save(root / "theirs", KIND, files, card(seen, OBSERVED), reuse=False)


def poisoned(root: Path) -> bytes:
    class Runs:
        def __reduce__(self):
            return Path.touch, (root / "canary",)

    held = io.BytesIO()
    torch.save({"layer": Runs()}, held)
    return held.getvalue()


@pytest.fixture
def place(origin, tmp_path) -> Path:
    """A folder with the store and no models; the model of 1.0.0 has been brought to ``mine``."""
    tmp_path.joinpath("store").mkdir()
    for part in ("chain", "manifest"):
        (tmp_path / "store" / part).symlink_to(origin / "store" / part)
    shutil.copytree(origin / "theirs" / KIND / "1.0.0", tmp_path / "mine")
    return tmp_path


def run(place: Path, *words: str, models: str = "models") -> tuple[int, dict]:
    places = ("--store", str(place / "store"), "--models", str(place / models), "--json")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = main([*words, *places])
    return status, json.loads(said.getvalue().splitlines()[-1])


def bring(place: Path, folder: Path) -> None:
    shutil.rmtree(place / "mine")
    shutil.copytree(folder, place / "mine")


def paper_run(place: Path) -> tuple[str, ...]:
    return ("paper-run", "--date", str(DAY), "--policy", f"{place / 'mine'}/", "--session", "s")


def test_it_is_stored_once_and_serves_by_its_version(place):
    out = str(place / "run")
    asked = ("backtest", "--date", str(DAY), "--policy", str(place / "mine"), "--out")
    status, told = run(place, *asked, out)
    assert status == 0, told
    manifest = registry.load(place / "models", KIND, "1.0.0").manifest_sha256
    assert told["policy"] == "policy/1.0.0"
    assert told["chosen_by"]["manifests"] == {"1.0.0": manifest}
    assert told["chosen_by"]["standing"] == "provisional"
    in_registry = str(place / "models" / KIND / "1.0.0")
    again = ("backtest", "--date", str(DAY), "--policy", in_registry, "--out", f"{out}-2")
    assert run(place, *again)[1]["net_pnl"] == told["net_pnl"]
    assert main(["models", "add", str(place / "mine"), "--models", str(place / "models")]) == 0
    assert registry.versions(place / "models", KIND) == ["1.0.0"]
    aliases = registry.aliases(place / "models", KIND)
    assert aliases == {"champion": None, "candidate": "1.0.0", "previous": None}


def test_a_session_goes_on_with_it_and_is_proved_when_the_folder_has_gone(place):
    begun = in_a_child(dying_at(AFTER_SOME_ROWS, lambda: run(place, *paper_run(place))[0]))
    session = place / "store" / "sessions" / "s"
    rows = len(read_session(session).rows)
    assert (begun, 10 < rows < 150) == (137, True), rows
    status, told = run(place, *paper_run(place))
    assert (status, told["policy"]) == (0, "policy/1.0.0"), told
    assert registry.versions(place / "models", KIND) == ["1.0.0"]
    shutil.rmtree(place / "mine")
    status, proof = run(place, "parity", "s")
    assert (status, proof["mismatches"], proof["choices"]) == (0, 0, 75), proof
    status, story = run(place, "explain", "D40", "--run", "s")
    assert (status, story["version"]) == (0, "policy/1.0.0"), story


def test_a_session_is_bound_to_the_bytes_it_was_begun_with(place, origin):
    assert run(place, *paper_run(place))[0] == 0
    manifest = registry.load(place / "models", KIND, "1.0.0").manifest_sha256
    assert read_session(place / "store" / "sessions" / "s").plan.manifests == {"policy": manifest}
    bring(place, origin / "theirs" / KIND / "1.0.2")
    status, told = run(place, *paper_run(place))
    assert (status, told["error"]["message"]) == (2, "session s was started with another policy")
    assert registry.versions(place / "models", KIND) == ["1.0.0"], "nothing is stored for it"
    # another registry, in which other bytes bear the same number
    assert run(place, *paper_run(place)[:-1], "t", models="others")[0] == 0
    for command in (("parity", "s"), ("explain", "D40", "--run", "s")):
        status, told = run(place, *command, models="others")
        assert (status, told["error"]["code"]) == (3, "damaged")
        said = "policy 1.0.0 in " + str(place / "others") + " is not the one that was used"
        assert told["error"]["message"] == said
    by_version = (*paper_run(place)[:4], "policy/1.0.0", *paper_run(place)[5:])
    status, told = run(place, *by_version, models="others")
    assert (status, told["error"]["message"]) == (2, "session s was started with another policy")


def test_a_session_of_before_manifests_were_written_down_is_read():
    told = Plan("NIFTY", DAY, "replay", True, "", ("a",), policy="policy/1.0.0").told()
    del told["manifests"]
    Plan.read(told).require_same(Plan.read(told | {"manifests": {"policy": "ab"}}), "s")


BACKTEST, PAPER = ("backtest", "--out", "run"), ("paper-run", "--session", "s")


@pytest.mark.parametrize(
    ("command", "version", "options", "status", "said"),
    [
        (PAPER, "policy/9.9.9", (), 10, "no version of a model in"),
        (BACKTEST, "policy/9.9.9", (), 10, "no version of a model in"),
        (PAPER, "policy/damaged", (), 3, "ridge.json is not what was written"),
        (BACKTEST, "policy/1.0.1", (), 2, "policy 1.0.1 has learnt from 1 of these 1 sessions"),
        (PAPER, "policy/1.0.0", ("--strategy", "iv_rank"), 2, "and this run has iv_rank"),
        (BACKTEST, "policy/1.0.0", ("--underlying", "BANKNIFTY"), 10, "BANKNIFTY"),
        (BACKTEST, "policy/1.0.3", (), 3, "sac-0.pt: model file damaged"),
        (PAPER, "policy/1.0.4", (), 3, "policy 1.0.4"),
        (BACKTEST, "scorer/1.0.0", (), 2, "holds a scorer, not a policy"),
    ],
)
def test_what_cannot_serve_is_refused_in_one_line_and_leaves_nothing(
    place, origin, monkeypatch, command, version, options, status, said
):
    folder = origin / "theirs" / version
    if version.endswith("damaged"):
        folder = shutil.copytree(origin / "theirs" / KIND / "1.0.0", place / "damaged")
        (folder / "ridge.json").write_bytes((folder / "ridge.json").read_bytes()[::-1])
    monkeypatch.chdir(place)
    before = {path for path in place.rglob("*") if "chain" not in path.parts}
    ended, told = run(place, *command, "--date", str(DAY), "--policy", str(folder), *options)
    assert (ended, said in told["error"]["message"]) == (status, True), told
    assert "\n" not in told["error"]["message"]
    assert {path for path in place.rglob("*") if "chain" not in path.parts} == before
    assert not (origin / "canary").exists()


def test_a_folder_that_names_no_version_stays_out(place):
    text = (place / "mine" / "card.json").read_text().replace('"1.0.0"', '"../../x"')
    (place / "mine" / "card.json").write_text(text)
    data = (place / "mine" / "card.json").read_bytes()
    lines = (place / "mine" / MANIFEST).read_text().splitlines()
    mended = [
        f"{hashlib.sha256(data).hexdigest()} {len(data)}  card.json"
        if line.endswith("  card.json")
        else line
        for line in lines
    ]
    (place / "mine" / MANIFEST).write_text("\n".join(mended) + "\n")
    asked = ("backtest", "--date", str(DAY), "--policy", str(place / "mine"))
    status, told = run(place, *asked, "--out", str(place / "run"))
    assert (status, told["error"]["message"]) == (2, "no version '../../x'")
    assert not (place / "models").exists()
