"""``optiq features`` and the page about them."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from optiq.cli.app import app
from optiq.errors import InputError, MissingDataError
from optiq.market.feature_page import as_markdown
from optiq.market.feature_table import FEATURES
from optiq.market.features import contract_features, market_features
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store

PAGE = Path(__file__).parents[1] / "docs" / "features.md"
DAY = "2025-01-03"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("features") / "store"
    store_simulation(Simulation(days=3, seed=5), Store(root))
    return root


def optiq(*words: object) -> Result:
    return CliRunner().invoke(app, ["features", *map(str, words)])


def third_day(folder: Path) -> Panel:
    return Store(folder).read_panel("NIFTY", dt.date.fromisoformat(DAY))


def answer(*words: object) -> dict[str, Any]:
    done = optiq(*words, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == as_markdown(), (
        'write it anew: python -c "from optiq.market.feature_page import as_markdown;'
        " print(as_markdown(), end='')\" > docs/features.md"
    )


def test_the_list_needs_no_data(tmp_path: Path) -> None:
    found = answer("--list", "--store", tmp_path / "none")
    assert [f["name"] for f in found["features"]] == [f.name for f in FEATURES]
    assert set(found["features"][0]) == {"name", "formula", "unit", "window", "source", "note"}
    text = optiq("--list").stdout
    assert all(feature.name in text for feature in FEATURES)


def test_a_moment_is_the_row_that_models_get(folder: Path) -> None:
    words = ("--date", DAY, "--at", "10:15", "--contract", "24000 PE", "--store", folder)
    found, panel = answer(*words), third_day(folder)
    context = Store(folder).context("NIFTY", panel.date)
    row = int(np.flatnonzero(panel.minute <= 615.0)[-1])
    is_it = (panel.strike == 24_000) & (panel.right < 0) & (panel.expiry == panel.expiry.min())
    column = np.flatnonzero(is_it)
    wanted = [
        *market_features(panel, context)[row].tolist(),
        *contract_features(panel, context, np.array([row]), column)[0].tolist(),
    ]
    said = [math.nan if f["value"] is None else f["value"] for f in found["features"]]
    assert said == pytest.approx(wanted, rel=0, abs=0, nan_ok=True)
    assert [f["name"] for f in found["features"]] == [f.name for f in FEATURES]
    assert found["ts"] == f"{panel.ts[row]}Z"
    assert found["contract"] == f"24000 PE {panel.expiry.min()}"
    assert found["features"][8] == {
        "name": "iv_rank",
        "value": None,  # two sessions are no history
        "unit": FEATURES[8].unit,
        "formula": FEATURES[8].formula,
    }


def test_without_a_contract_the_market_alone_and_without_a_time_the_last_row(folder: Path) -> None:
    found = answer("--date", DAY, "--store", folder)
    assert len(found["features"]) == 23
    assert found["contract"] is None
    assert (
        found["ts"] == f"{Store(folder).read_panel('NIFTY', Store(folder).days()[2].date).ts[-1]}Z"
    )


def test_a_person_reads_values_units_and_formulas(folder: Path) -> None:
    text = optiq("--date", DAY, "--at", "10:15:30", "--store", folder).stdout
    assert "NIFTY at 2025-01-03 10:15:00 IST" in text
    (line,) = (line for line in text.splitlines() if "minutes_to_close" in line)
    assert line.split() == ["minutes_to_close", "315", "minutes", "close", "-", "now"]
    (line,) = (line for line in text.splitlines() if "iv_rank" in line)
    assert line.split()[1] == "-"


def test_another_expiry_can_be_named(folder: Path) -> None:
    last = third_day(folder).expiry.max()
    words = ("--date", DAY, "--store", folder, "--contract", "24000 ce", "--expiry", last)
    assert answer(*words)["contract"] == f"24000 CE {last}"


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        ("", InputError, "no day given"),
        (f"--date {DAY} --contract 24000", InputError, "'24000' is no contract"),
        (f"--date {DAY} --contract x-CE", InputError, "'x-CE' is no contract"),
        (f"--date {DAY} --expiry 2025-01-09", InputError, "an expiry without a contract"),
        (
            f"--date {DAY} --at 08:00",
            MissingDataError,
            "no snapshot of NIFTY on 2025-01-03 by 08:00",
        ),
        ("--date 2025-01-10", MissingDataError, "no NIFTY day in"),
    ],
)
def test_what_cannot_be_answered_is_said(words, kind, message, folder: Path) -> None:
    failure = optiq(*words.split(), "--store", folder).exception
    assert isinstance(failure, kind)
    assert message in str(failure)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--contract", "99 CE"), "strikes are "),
        (("--contract", "24000 CE", "--expiry", "2030-01-01"), "expiries are "),
    ],
)
def test_a_contract_that_nobody_quoted_is_missing_data(words, hint, folder: Path) -> None:
    failure = optiq("--date", DAY, "--store", folder, *words).exception
    assert isinstance(failure, MissingDataError)
    assert failure.hint.startswith(hint)


def test_a_time_is_written_as_one() -> None:
    done = optiq("--date", DAY, "--at", "quarter past ten")
    assert done.exit_code == 2
    assert "is no time of day" in done.output
