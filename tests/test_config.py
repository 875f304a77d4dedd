"""Settings: what outranks what, what is refused, and that a run's settings read back the same."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optiq.cli.app import main
from optiq.cli.config import find_file, folder, resolve, resolved_toml
from optiq.errors import InputError
from optiq.trade.fills import WalkSettings
from optiq.trade.limits import Limits
from optiq.trade.orders import ExitRule


@dataclass(frozen=True, slots=True)
class Fees:
    broker: Literal["Zerodha", "Dhan"] = "Zerodha"
    table: Path = Path("fees.csv")
    levels: tuple[float, ...] = (0.2, 0.5)
    pair: tuple[int, str] = (1, "a")
    rounded: bool = True
    note: str = ""
    since: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Params:
    band: float = 0.05
    steps: int = 2
    ceiling: float = math.inf
    exits: ExitRule = field(default_factory=lambda: ExitRule(target=0.15, stop=0.10))

    def __post_init__(self) -> None:
        if self.band <= 0:
            raise ValueError(f"band is {self.band}, not above 0")


SECTIONS: dict[str, type[Any]] = {
    "walk": WalkSettings,
    "limits": Limits,
    "charges": Fees,
    "iv": Params,
    "iv_rank": Params,
}


def settings(
    *overrides: str, environ: dict[str, str] | None = None, file: Path | None = None
) -> Any:
    return resolve(SECTIONS, file, overrides, environ or {})


def written(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_the_defaults_stand() -> None:
    assert settings() == {name: kind() for name, kind in SECTIONS.items()}


def test_a_flag_outranks_a_variable_outranks_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "[walk]\nlatency_s = 3.0\nmax_wait_s = 30\nlots = 2\n")
    environ = {"OPTIQ_WALK_LATENCY_S": "2", "OPTIQ_WALK_MAX_WAIT_S": "20", "HOME": "/"}
    walk = settings("walk.latency_s=0", environ=environ, file=file)["walk"]
    assert (walk.latency_s, walk.max_wait_s, walk.lots) == (0.0, 20.0, 2)
    assert isinstance(walk.latency_s, float)


def test_the_file_of_the_working_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_file(None) is None
    written(tmp_path, "[limits]\nmax_open = 7\n", "optiq.toml")
    assert settings()["limits"].max_open == 7


def test_the_fields_of_a_nested_rule_are_keys_of_its_section() -> None:
    filled = settings("iv.target=0.3", "iv.stop=off", environ={"OPTIQ_IV_RANK_TRAIL": "0.2"})
    assert filled["iv"].exits.target == 0.3
    assert math.isnan(filled["iv"].exits.stop)
    assert filled["iv_rank"].exits == ExitRule(target=0.15, stop=0.10, trail=0.2)


def test_off() -> None:
    filled = settings("limits.capital=100000", "iv.ceiling=5")
    assert (filled["limits"].capital, filled["iv"].ceiling) == (100000.0, 5.0)
    filled = settings("limits.capital=off", "iv.ceiling=off", environ={"OPTIQ_LIMITS_CAPITAL": "5"})
    assert (filled["limits"].capital, filled["iv"].ceiling) == (None, math.inf)


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("charges.broker=Dhan", "Dhan"),
        ("charges.table=a/b.csv", Path("a/b.csv")),
        ("charges.levels=[1, 2.5]", (1.0, 2.5)),
        ('charges.pair=[3, "b"]', (3, "b")),
        ("charges.rounded=false", False),
        ("charges.note=2", "2"),
        ("charges.note= a = b ", "a = b"),
        ("charges.since=2026-08-03", dt.date(2026, 8, 3)),
    ],
)
def test_a_flag_is_read_in_the_type_of_its_setting(override: str, value: object) -> None:
    name = override.partition("=")[0].removeprefix("charges.")
    assert getattr(settings(override)["charges"], name) == value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("walk.latncy_s=0", r"--set: no setting walk\.latncy_s \(did you mean walk\.latency_s\?"),
        ("wlak.latency_s=0", r"no section wlak \(did you mean walk\?"),
        ("limits.zzz=0", r"no setting limits\.zzz \(known are limits\.first_entry_minutes"),
        ("walk.latency_s=fast", r"--set walk\.latency_s is 'fast' \(write a number\)"),
        ("walk.latency_s=true", r"is True \(write a number\)"),
        ("walk.latency_s=nan", r"is nan \(write a number\)"),
        ("walk.latency_s=inf", r"is inf \(write a number\)"),
        ("iv.ceiling=inf", r"is inf \(write a number or \"off\"\)"),
        ("walk.latency_s=off", r"--set walk\.latency_s cannot be off \(write a number\)"),
        ("walk.lots=1.5", r"is 1.5 \(write a whole number\)"),
        ("limits.capital=lots", r"\(write a number or \"off\"\)"),
        ("iv.stop=much", r"\(write a number or \"off\"\)"),
        ("charges.broker=Zerodah", r"is 'Zerodah' \(write one of Zerodha, Dhan\)"),
        ("charges.rounded=1", r"is 1 \(write true or false\)"),
        ("charges.levels=[1, 'a']", r"\(write a list such as"),
        ("charges.pair=[1]", r"\(write a list such as"),
        ("walk.latency_s", r"names no setting \(write --set section\.key=value\)"),
        ("latency_s=1", r"names no setting"),
        ("iv.band=-1", r"\[iv\]: band is -1.0, not above 0"),
    ],
)
def test_a_wrong_flag_says_what_and_what_to_write(override: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        settings(override)
    assert re.search(message, f"{caught.value} ({caught.value.hint})")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[walk]\nlatency = 1\n", "no setting walk.latency"),
        ("[wlk]\nlatency_s = 1\n", "no section wlk"),
        ("latency_s = 1\n", "no key latency_s"),
        ('[walk]\nlatency_s = "1"\n', "walk.latency_s is '1'"),
        ("[walk]\nlatency_s = nan\n", "walk.latency_s is nan"),
        ("[walk\n", "is not TOML"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(InputError, match=r"mine\.toml") as caught:
        settings(file=file)
    assert message in str(caught.value)


def test_a_file_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe[walk]")
    with pytest.raises(InputError, match="is not TOML"):
        settings(file=tmp_path / "mine.toml")
    with pytest.raises(InputError, match="no settings file"):
        settings(file=tmp_path / "none.toml")


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(InputError, match="OPTIQ_WALK_LATENCY_S is 'soon'"):
        settings(environ={"OPTIQ_WALK_LATENCY_S": "soon"})
    with pytest.raises(InputError, match="no setting OPTIQ_WALK_LATENCY") as caught:
        settings(environ={"OPTIQ_WALK_LATENCY": "1"})
    assert caught.value.hint == "did you mean OPTIQ_WALK_LATENCY_S?"
    with pytest.raises(InputError, match="no setting OPTIQ_STROE") as caught:
        settings(environ={"OPTIQ_STROE": "x"})
    assert caught.value.hint == "did you mean OPTIQ_STORE?"
    assert settings(environ={"OPTIQ_STORE": "x", "OPTIQ_MODELS": "y"}) == settings()


def test_paths_start_from_the_file_or_the_working_folder(tmp_path: Path) -> None:
    file = written(
        tmp_path, 'store = "chains"\nmodels = "/srv/models"\n[charges]\ntable = "t.csv"\n'
    )
    assert settings(file=file)["charges"].table == tmp_path / "t.csv"
    assert folder("store", Path("data/store"), file, {}) == tmp_path / "chains"
    assert folder("models", Path("models"), file, {}) == Path("/srv/models")
    assert folder("runs", Path("data/runs"), file, {}) == tmp_path / "data" / "runs"
    assert folder("store", Path("data/store"), file, {"OPTIQ_STORE": "here"}) == Path("here")
    with pytest.raises(InputError, match="store is 3, which is not a path"):
        folder("store", Path("data/store"), written(tmp_path, "store = 3\n"), {})


@given(
    latency=st.floats(0, 1e6),
    capital=st.none() | st.floats(0.01, 1e12),
    exits=st.tuples(*[st.floats(0.01, 5) | st.just(math.nan)] * 2),
    note=st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.just("off"),
)
def test_resolved_settings_read_back_the_same(
    latency: float,
    capital: float | None,
    exits: tuple[float, float],
    note: str,
    tmp_path_factory: Any,
) -> None:
    before = {
        "walk": WalkSettings(latency_s=latency),
        "limits": Limits(capital=capital),
        "charges": Fees(
            note=note, table=Path("/fees.csv"), levels=(1.0,), since=dt.date(2026, 8, 3)
        ),
        "iv": Params(exits=ExitRule(*exits)),
        "iv_rank": Params(),
    }
    file = written(tmp_path_factory.mktemp("run"), resolved_toml(before))
    after = resolve(SECTIONS, file, (), {})
    assert repr(after) == repr(before)  # NaN differs from itself, its text does not


def test_the_folders_of_a_run_are_written_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = resolved_toml({"walk": WalkSettings()}, {"store": Path("data/store")})
    (tmp_path / "elsewhere").mkdir()
    file = written(tmp_path / "elsewhere", text)
    assert folder("store", Path("data/store"), file, {}) == tmp_path / "data" / "store"
    assert settings(file=file)["walk"] == WalkSettings()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("walk.lots=0", "lots = 0; give 1 to 10000"),
        ("walk.latency_s=-1", "latency_s = -1; give 0 or more"),
        ("limits.capital=0", "would let nothing trade"),
        ("limits.max_daily_loss=-5", "give 0 or more, or switch it off"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting: str, message: str) -> None:
    from optiq.trade.fills import WalkSettings
    from optiq.trade.limits import Limits

    with pytest.raises(InputError, match=message):
        resolve({"walk": WalkSettings, "limits": Limits}, overrides=[setting], environ={})


@pytest.mark.parametrize("setting", ["max_open=-1", "max_daily_loss=-5", "capital=-5"])
def test_a_strategy_limit_below_nothing_is_refused(setting, capsys):
    assert main(["strategies", "show", "opening_range", "--set", f"opening_range.{setting}"]) == 2
    assert "[opening_range]" in capsys.readouterr().err
