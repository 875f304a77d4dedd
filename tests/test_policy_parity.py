"""Under a policy a paper session is the backtest decision for decision, on recorded days too."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from recorded import RECORDED, needs_recordings
from small_policies import files_of, fitted_on, saved

from optiq.cli.app import main
from optiq.market.ingest.pipeline import ingest
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store

FILES = ("choices.parquet", "decisions.parquet", "trades.parquet")


def told(*asked: str) -> dict:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = main([*asked, "--json"])
    result = json.loads(out.getvalue().splitlines()[-1])
    assert status == 0, result
    return result


@pytest.fixture(scope="module")
def places(request, tmp_path_factory) -> tuple[str, str, str]:
    """A store, a policy fitted on its episodes, and its last day."""
    root = tmp_path_factory.mktemp("parity")
    store, models = root / "store", root / "models"
    if request.param == SIMULATED:
        store_simulation(Simulation(days=1, seed=7, row_seconds=120.0), Store(store))
    else:
        assert not ingest([str(RECORDED / request.param)], Store(store)).failed
    saved(models, files_of(*fitted_on(store)), "2024-12-31")
    return str(store), str(models), str(list(Store(store).days())[-1].date)


SIMULATED = "simulated"
FOUR_DAYS = "nse_json/2025-11-1[3-8]*"


@pytest.mark.parametrize(
    ("places", "policy"),
    [
        (SIMULATED, "random"),
        pytest.param(FOUR_DAYS, "random", marks=needs_recordings),
        pytest.param(FOUR_DAYS, "policy/1.0.0", marks=needs_recordings),
    ],
    indirect=["places"],
    scope="module",
)
def test_a_paper_session_chooses_what_the_backtest_does(places, tmp_path, policy):
    store, models, date = places
    where = ["--store", store, "--models", models]
    asked = [*where, "--date", date, "--policy", policy, "--set", "walk.latency_s=0"]
    ran = told("backtest", *asked, "--seed", "7", "--out", str(tmp_path / "run"))
    session = told("paper-run", *asked, "--seed", "7", "--session", policy.replace("/", "-"))
    for file in FILES:
        assert (tmp_path / "run" / file).read_bytes() == Path(session["run"], file).read_bytes()
    assert (ran["policy"], ran["seed"], ran["trades"]) == (policy, 7, session["trades"])
    assert ran["trades"] > 0
    proof = told("parity", session["session"], str(tmp_path / "run"), *where)
    lines = pq.read_table(tmp_path / "run" / FILES[0]).to_pylist()
    assert (proof["mismatches"], proof["choices"]) == (0, len(lines))
    assert len({line["chosen"] for line in lines}) > 1
    by_id = {line["decision_id"]: line for line in lines}
    for order in pq.read_table(tmp_path / "run" / FILES[1]).to_pylist():
        made = by_id[order["decision_id"]]
        assert (order["strategy"], order["mask"]) == (made["chosen"], made["mask"])
        assert order["preferences"] == made["preferences"]
        assert order["row"] >= made["row"]
    told("backtest", *asked, "--seed", "8", "--out", str(tmp_path / "other"))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = main(["parity", session["session"], str(tmp_path / "other"), *where, "--json"])
    assert status == 3
    assert " is not the same: the session has " in json.loads(out.getvalue())["error"]["message"]
