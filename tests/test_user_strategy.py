"""A user's own file: found, named in its errors, run like any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from panels import panel

from optiq import Context
from optiq.cli.settings import run_settings
from optiq.errors import RuleError, StrategyError
from optiq.run.strategy_names import RESERVED
from optiq.run.user_strategy import find, find_all
from optiq.trade.strategies import BUILT_IN

DAY = panel([720.0, 721.0], [26_000.0, 26_100.0], [1, -1], 100.0, chain=[True, True])
PARAMS = (
    "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Params:\n    x: int = 1\n"
)
ENTRIES = "def entries(panel, context, params):\n    "


def written(folder: Path, source: str, name: str = "mine.py") -> str:
    path = folder / name
    path.write_text(source)
    return str(path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise RuntimeError('boom')", r"mine.py:1: RuntimeError: boom"),
        ("x = 1\ny = x / 0", r"mine.py:2: ZeroDivisionError"),
        ("def broken(:", r"mine.py:1: SyntaxError"),
        ("import nothing_of_that_name", r"mine.py:1: ModuleNotFoundError"),
        ("class Odd(Exception): ...\n\nraise Odd('x')", r"mine.py:3: Odd: x"),
        ("x = 1", "'mine' has no dataclass `Params`"),
        ("class Params: ...", "'mine' has no dataclass `Params`"),
        (PARAMS + "Params = Params()", "'mine' has no dataclass `Params`"),
        (PARAMS.replace("(frozen=True)", ""), "'mine': its `Params` can be changed while it runs"),
        (PARAMS.replace(" = 1", ""), r"'mine': `Params\(\)` failed: TypeError: .*argument: 'x'"),
        (
            PARAMS + "    def __post_init__(self):\n        raise ValueError('x below 2')",
            r"'mine': `Params\(\)` failed: ValueError: x below 2",
        ),
        (PARAMS, "'mine' has no function `entries`"),
        (PARAMS + "entries = 3", "'mine' has no function `entries`"),
        (PARAMS + ENTRIES + "pass\nNEEDS = 'ltp'", "'mine': NEEDS is 'ltp', not a tuple"),
        (PARAMS + ENTRIES + "pass\nNEEDS = (1,)", r"'mine': NEEDS is \(1,\), not a tuple"),
        (PARAMS + ENTRIES + "pass\nNEEDS = ('volum',)", "'mine' needs 'volum', which is no field"),
    ],
)
def test_a_file_that_is_no_strategy_is_refused_in_one_line(tmp_path, source, message):
    with pytest.raises(StrategyError, match=message) as refused:
        find(written(tmp_path, source))
    assert refused.value.exit_code == 2


SINGLE = "return Orders.single(panel, panel.ltp > 0"
PACKAGES = "return Orders.packages(np.array([0]), np.array([[0, 1]]), "


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("pass", "strategy 'mine' returned nothing, not Orders"),
        ("return [panel]", "strategy 'mine' returned list, not Orders"),
        (
            "return panel.nothing",
            r"strategy 'mine' failed on NIFTY 2025-11-20, 2 rows: .*mine.py:8: AttributeError",
        ),
        ("return 1 / 0", r"mine.py:8: ZeroDivisionError: division by zero"),
        ("class Odd(Exception): ...\n    raise Odd(panel.date)", r"mine.py:9: Odd: 2025-11-20"),
        (
            "return Orders.single(panel, panel.ltp[:1] > 0)",
            r"'mine' failed on .*mine.py:8: mask of shape \(1, 2\), the panel has \(2, 2\)",
        ),
        (SINGLE + ", strength=np.nan)", "'mine': order 0 at row 0 has a strength .*: nan"),
        (SINGLE + ", side=0)", r"'mine': order 0 at row 0 has a side other than \+1 or -1: 0"),
        (SINGLE + ", rule=ExitRule(stop=-0.1))", "'mine': .* a stop that is not above 0: -0.1"),
        (PACKAGES + "1, ExitRule(), ratio=0)", "'mine': order 0 at row 0 has a ratio below 1: 0"),
        (
            "return Orders.packages(np.array([2]), np.array([[0]]), 1, ExitRule())",
            "'mine': order 0 at row 2 has a row the panel does not have: 2",
        ),
        (
            "return Orders.packages(np.array([1]), np.array([[7]]), 1, ExitRule())",
            "'mine': order 0 at row 1 has a contract the panel does not have: 7",
        ),
        (
            "return Orders.packages(np.array([0]), np.array([[1, 1]]), 1, ExitRule())",
            "'mine': order 0 at row 0 has the same contract twice: 1",
        ),
        ("panel.ltp[0] = 1.0", r"mine.py:8: ValueError: assignment destination is read-only"),
        ("panel.ltp.sort(axis=0)", "mine.py:8: ValueError: .* read-only"),
        ("np.nan_to_num(panel.bid, copy=False)", "mine.py:8: ValueError: .* read-only"),
        ("panel.spot[:] = 0.0", "mine.py:8: ValueError: .* read-only"),
        ("panel.observed[:] = True", "mine.py:8: ValueError: .* read-only"),
        ("panel.forward_by_expiry[:] = 1.0", "mine.py:8: ValueError: .* read-only"),
        ("panel.ts[0] += np.timedelta64(1, 's')", "mine.py:8: ValueError: .* read-only"),
        ("context.closes[:] = 1.0", "mine.py:8: ValueError: .* read-only"),
        ("panel.fields['ltp'] = panel.bid", "mine.py:8: TypeError: .*item assignment"),
        ("panel.spot = panel.ltp[:, 0]", "mine.py:8: FrozenInstanceError"),
        ("params.x = 3", "mine.py:8: FrozenInstanceError: cannot assign to field 'x'"),
    ],
)
def test_what_goes_wrong_on_a_day_is_one_line_that_names_the_strategy(tmp_path, body, message):
    source = PARAMS + "import numpy as np\nfrom optiq import ExitRule, Orders\n" + ENTRIES + body
    before = DAY.ltp.copy()
    with pytest.raises(StrategyError, match=message) as refused:
        find(written(tmp_path, source)).entries(DAY, Context())
    assert refused.value.exit_code == 2
    assert str(refused.value).startswith("strategy 'mine'")
    assert np.array_equal(DAY.ltp, before)


def test_who_writes_to_the_panel_is_told_to_copy(tmp_path):
    strategy = find(written(tmp_path, PARAMS + ENTRIES + "panel.ltp[:] = 0"))
    with pytest.raises(StrategyError) as refused:
        strategy.entries(DAY, Context())
    assert "work on a copy, as panel.ltp.copy()" in refused.value.hint


def test_the_line_named_is_that_of_the_file_even_where_a_library_failed(tmp_path):
    source = PARAMS + "import numpy as np\n" + ENTRIES + "\n    return np.linalg.inv([[0.0]])\n"
    with pytest.raises(StrategyError, match=r"mine.py:8: LinAlgError: Singular matrix"):
        find(written(tmp_path, source)).entries(DAY, Context())


def test_a_market_fact_that_is_missing_stays_what_it_is(tmp_path):
    source = PARAMS + "from optiq.errors import RuleError\n" + ENTRIES + "raise RuleError('no lot')"
    with pytest.raises(RuleError, match=r"^no lot$"):
        find(written(tmp_path, source)).entries(DAY, Context())


def test_a_file_is_named_by_the_path_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "\n\n1 / 0")
    with pytest.raises(StrategyError, match=r"^mine.py:3: ZeroDivisionError"):
        find("mine.py")


def test_a_file_runs_with_its_parameters(tmp_path):
    source = PARAMS + (
        "from optiq import Orders\n"
        "def entries(panel, context, params):\n"
        "    return Orders.single(panel, panel.ltp > params.x)\n"
    )
    orders = find(written(tmp_path, source)).entries(DAY, Context())
    assert np.array_equal(orders.legs[:, 0], [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gamma_scalping.py", "'gamma_scalping' is the name of a strategy of optiq"),
        ("walk.py", "'walk' means something else in commands and settings"),
        ("all.py", "'all' means something else"),
        ("my-idea.py", "'my-idea' is no Python identifier"),
        ("2nd.py", "'2nd' is no Python identifier"),
        ("lambda.py", "'lambda' is no Python identifier"),
    ],
)
def test_a_name_that_cannot_be_had_is_refused(tmp_path, name, message):
    with pytest.raises(StrategyError, match=message):
        find(written(tmp_path, PARAMS, name))


def test_no_strategy_can_take_a_section_of_the_settings():
    _, strategies, resolved = run_settings([], None, [])
    sections = set(resolved) - {strategy.name for strategy in strategies}
    assert sections <= set(RESERVED)


@pytest.mark.parametrize("name", ["gama_scalping", "", "mine.txt"])
def test_an_unknown_name_is_told_what_there_is(name):
    with pytest.raises(StrategyError, match=f"no strategy named {name!r}") as refused:
        find(name)
    assert "gamma_scalping" in refused.value.hint


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], list(BUILT_IN)),
        (["all"], list(BUILT_IN)),
        (["institutional_oi"], ["institutional_oi"]),
        (["institutional_oi", "gamma_scalping"], ["institutional_oi", "gamma_scalping"]),
        (["gamma_scalping", "all"], list(BUILT_IN)),
    ],
)
def test_no_name_means_every_strategy_that_ships(names, found):
    assert [strategy.name for strategy in find_all(names)] == found


def test_a_file_may_come_beside_all_of_them(tmp_path):
    path = written(tmp_path, PARAMS + ENTRIES + "pass")
    assert [strategy.name for strategy in find_all(["all", path])] == [*BUILT_IN, "mine"]


def test_twice_the_same_is_refused():
    with pytest.raises(StrategyError, match="'gamma_scalping' was given twice"):
        find_all(["gamma_scalping", "gamma_scalping"])
