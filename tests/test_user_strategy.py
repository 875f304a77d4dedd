"""A user's own file: found, named in its errors, run like any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from panels import panel

from optiq import Context
from optiq.errors import StrategyError
from optiq.run.user_strategy import find, find_all

DAY = panel([720.0], [26_000.0], [1], 100.0)
PARAMS = (
    "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Params:\n    x: int = 1\n"
)


def written(folder: Path, source: str) -> str:
    path = folder / "mine.py"
    path.write_text(source)
    return str(path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise RuntimeError('boom')", r"mine.py:1: RuntimeError: boom"),
        ("x = 1\ny = x / 0", r"mine.py:2: ZeroDivisionError"),
        ("def broken(:", r"mine.py:1: SyntaxError"),
        ("import nothing_of_that_name", r"mine.py:1: ModuleNotFoundError"),
        ("x = 1", "'mine' has no dataclass `Params`"),
        (PARAMS, "'mine' has no function `entries`"),
    ],
)
def test_a_file_that_is_no_strategy_is_refused_in_one_line(tmp_path, source, message):
    with pytest.raises(StrategyError, match=message):
        find(written(tmp_path, source))


def test_a_strategy_that_fails_on_a_day_is_named(tmp_path):
    strategy = find(
        written(
            tmp_path, PARAMS + "def entries(panel, context, params):\n    return panel.nothing\n"
        )
    )
    with pytest.raises(StrategyError, match="'mine' failed on NIFTY 2025-11-20: AttributeError"):
        strategy.entries(DAY, Context())


def test_a_file_runs_with_its_parameters(tmp_path):
    source = PARAMS + (
        "from optiq import Orders\n"
        "def entries(panel, context, params):\n"
        "    return Orders.single(panel, panel.ltp > params.x)\n"
    )
    orders = find(written(tmp_path, source)).entries(DAY, Context())
    assert np.array_equal(orders.legs, [[0, -1, -1, -1]])


def test_a_name_that_ships_cannot_be_taken(tmp_path):
    path = tmp_path / "gamma_scalping.py"
    path.write_text(PARAMS)
    with pytest.raises(StrategyError, match="has the name of a strategy of optiq"):
        find(str(path))


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], ["gamma_scalping", "institutional_oi"]),
        (["all"], ["gamma_scalping", "institutional_oi"]),
        (["institutional_oi"], ["institutional_oi"]),
        (["institutional_oi", "gamma_scalping"], ["institutional_oi", "gamma_scalping"]),
    ],
)
def test_no_name_means_every_strategy_that_ships(names, found):
    assert [strategy.name for strategy in find_all(names)] == found


def test_twice_the_same_is_refused():
    with pytest.raises(StrategyError, match="'gamma_scalping' was given twice"):
        find_all(["gamma_scalping", "gamma_scalping"])
