"""Strategies of other distributions: real metadata on the path, found by their entry points."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from optiq.cli.app import main
from optiq.errors import StrategyError
from optiq.run.user_strategy import find, find_all, origin
from optiq.trade.strategies import BUILT_IN

STRATEGY = '''"""Buy whatever is quoted."""
from dataclasses import dataclass

from optiq import Orders


@dataclass(frozen=True)
class Params:
    premium: float = 10.0


def entries(panel, context, params):
    return Orders.single(panel, panel.ltp > params.premium)
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a distribution with one entry point where pip would put it."""

    def put(entry: str, source: str = STRATEGY, distribution: str = "acme-ideas") -> None:
        place = tmp_path / distribution
        package = distribution.replace("-", "_")
        module = place / package
        module.mkdir(parents=True)
        (module / "__init__.py").write_text("")
        (module / "quoted.py").write_text(source)
        info = place / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[optiq.strategies]\n{entry}\n")
        monkeypatch.syspath_prepend(place)

    yield put
    for name in [name for name in sys.modules if name.split(".")[0].endswith("_ideas")]:
        del sys.modules[name]


def test_it_is_found_by_the_name_of_its_entry_point(install):
    install("quoted = acme_ideas.quoted")
    strategy = find("quoted")
    assert (strategy.name, strategy.about) == ("quoted", "Buy whatever is quoted.")
    assert strategy.params.premium == 10.0
    assert origin("quoted") == "acme-ideas"


def test_all_includes_it_and_no_name_does_not(install):
    install("quoted = acme_ideas.quoted")
    assert [strategy.name for strategy in find_all(["all"])] == [*BUILT_IN, "quoted"]
    assert [strategy.name for strategy in find_all([])] == list(BUILT_IN)


def test_the_list_says_where_each_comes_from(install, capsys):
    install("quoted = acme_ideas.quoted")
    assert main(["strategies", "ls", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["strategies"]
    assert [(one["name"], one["from"]) for one in found][-2:] == [
        (BUILT_IN[-1], "optiq"),
        ("quoted", "acme-ideas"),
    ]


def test_its_numbers_are_settings_even_of_a_run_without_it(install, capsys, tmp_path):
    install("quoted = acme_ideas.quoted")
    config = tmp_path / "mine.toml"
    config.write_text("[quoted]\npremium = 50.0\n")
    for name in ("quoted", "gamma_scalping"):
        assert main(["strategies", "show", name, "--config", str(config), "--json"]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert shown[0]["parameters"] == {"premium": 50.0}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("gamma_scalping = acme_ideas.quoted", "is the name of a strategy of optiq"),
        ("limits = acme_ideas.quoted", "means something else"),
        ("my-idea = acme_ideas.quoted", "is no Python identifier"),
    ],
)
def test_a_name_that_cannot_be_had_says_whose_it_is(entry, message, install, capsys):
    install(entry)
    with pytest.raises(StrategyError, match=f"^distribution 'acme-ideas' brings .*{message}"):
        find_all(["all"])
    assert main(["strategies", "ls"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("optiq: distribution 'acme-ideas' brings")
    assert said.count("\n") == 1


def test_two_distributions_cannot_bring_one_name(install):
    install("quoted = acme_ideas.quoted")
    install("quoted = other_ideas.quoted", distribution="other-ideas")
    with pytest.raises(StrategyError, match=r"'quoted': \S+-ideas brings one of that name too"):
        find("quoted")


@pytest.mark.parametrize(
    ("entry", "source", "message"),
    [
        ("quoted = acme_ideas.gone", STRATEGY, "acme_ideas.gone of acme-ideas cannot be imported"),
        ("quoted = acme_ideas.quoted", "1 / 0", "cannot be imported: ZeroDivisionError"),
        ("quoted = acme_ideas.quoted:entries", STRATEGY, "of acme-ideas is no module"),
        ("quoted = acme_ideas.quoted", "x = 1", "has no dataclass `Params`"),
    ],
)
def test_what_does_not_load_says_whose_it_is(entry, source, message, install):
    install(entry, source)
    with pytest.raises(StrategyError, match=f"^strategy 'quoted'.*{message}"):
        find("quoted")
    assert find("gamma_scalping").name == "gamma_scalping"
