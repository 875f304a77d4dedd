"""The edge of the program: help, and one line and one status for every failure."""

from __future__ import annotations

import errno
import json
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

from optiq import cli, errors
from optiq.cli.app import COMMANDS, app, main
from optiq.cli.options import (
    STORE,
    AnyUnderlyingOption,
    ConfigOption,
    DateOption,
    JsonOption,
    StoreOption,
    UnderlyingOption,
)
from optiq.cli.output import emit

HEAVY = ("numpy", "pandas", "pyarrow", "numba", "lightgbm", "scipy", "sklearn", "torch", "joblib")


def commands(act: Callable[[], None]) -> typer.Typer:
    """Return a program with the command ``act --json`` that does ``act``."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def top() -> None:
        """Top."""

    @app.command("act")
    def run(
        store: StoreOption = STORE,
        config: ConfigOption = None,
        underlying: UnderlyingOption = "NIFTY",
        date: DateOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Act."""
        act()
        result = {"store": store, "underlying": underlying, "date": date}
        emit(
            result,
            as_json=as_json,
            show=lambda screen: screen.print(f"{store} {underlying} {date}"),
        )

    return app


def raising(error: BaseException) -> typer.Typer:
    def act() -> None:
        raise error

    return commands(act)


def nothing() -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.InputError("no such file", "name another"), 2, "bad_input"),
        (errors.RuleError("no row", "add one"), 2, "no_rule"),
        (errors.StrategyError("not orders", "return Orders"), 2, "bad_strategy"),
        (errors.DamagedError("hash differs", "ingest again"), 3, "damaged"),
        (errors.EvidenceError("12 episodes", "log more"), 4, "not_enough_evidence"),
        (errors.MissingDataError("nothing stored", "ingest"), 10, "missing_data"),
        (errors.CannotCreateError("no folder", "make it"), 73, "cannot_create"),
        (errors.StorageError("disk full", "free some"), 74, "io_error"),
        (errors.BusyError("locked", "wait"), 75, "busy"),
        (errors.AccessError("not yours", "ask"), 77, "no_permission"),
        (OSError(errno.ENOSPC, "No space left on device", "x.parquet"), 74, "io_error"),
        (OSError(errno.EIO, "Input/output error"), 74, "io_error"),
        (OSError("an error without a number"), 74, "io_error"),
        (PermissionError(errno.EACCES, "Permission denied", b"x"), 77, "no_permission"),
        (PermissionError(errno.EPERM, "Operation not permitted"), 77, "no_permission"),
        (OSError(errno.EROFS, "Read-only file system", "x"), 73, "cannot_create"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x/y"), 73, "cannot_create"),
        (FileExistsError(errno.EEXIST, "File exists", "x"), 73, "cannot_create"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (typer.Abort(), 130, "interrupted"),
        (ZeroDivisionError("division by zero"), 70, "bug"),
    ],
)
def test_every_failure_is_one_line_and_one_status(
    error: BaseException, status: int, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["act"], raising(error)) == status
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("optiq: ")

    assert main(["act", "--json"], raising(error)) == status
    said = capsys.readouterr()
    assert said.err == ""
    told = json.loads(said.out)
    assert (told["ok"], told["error"]["code"]) == (False, code)
    assert set(told["error"]) == {"code", "message", "hint"}


def test_the_line_holds_message_and_hint(capsys: pytest.CaptureFixture[str]) -> None:
    main(["act"], raising(errors.InputError("no file\nx.csv", "give a CSV")))
    assert capsys.readouterr().err == "optiq: no file x.csv (give a CSV)\n"


def test_a_system_error_names_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    main(["act"], raising(OSError(errno.ENOSPC, "No space left on device", "x.parquet")))
    assert capsys.readouterr().err == (
        "optiq: No space left on device: x.parquet (free some space and run it again)\n"
    )


def test_a_bug_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    main(["act", "--json"], raising(ZeroDivisionError("division by zero")))
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["message"] == "internal error: ZeroDivisionError: division by zero"
    report = Path(error["hint"].removeprefix("please report it with "))
    assert "ZeroDivisionError" in report.read_text()
    report.unlink()


def test_a_status_that_a_command_asks_for_is_the_status() -> None:
    assert main(["act"], raising(typer.Exit(4))) == 4
    assert main(["act"], commands(nothing)) == 0


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["act", "--dat", "2026-08-03"], "No such option: --dat"),
        (["atc"], "No such command 'atc'"),
        (["act", "extra"], "extra argument"),
        (["act", "--date", "03/08/2026"], "'03/08/2026' is not a date; write YYYY-MM-DD"),
        (["act", "--date", "2026-02-30"], "'2026-02-30' is not a date"),
        (["act", "--date"], "requires an argument"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    arguments: list[str], found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments, commands(nothing)) == 2
    said = capsys.readouterr().err
    assert found in said
    assert said.count("\n") == 1

    assert (
        main(
            [*arguments, "--json"] if arguments[-1] != "--date" else ["act", "--json", "--date"],
            commands(nothing),
        )
        == 2
    )
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "usage"


def test_an_underlying_is_named_in_any_case_and_mended(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["act", "--underlying", "banknifty", "--json"], commands(nothing)) == 0
    assert json.loads(capsys.readouterr().out)["underlying"] == "BANKNIFTY"
    assert main(["act", "--underlying", "NIFTI"], commands(nothing)) == 2
    assert "no underlying 'NIFTI'; did you mean NIFTY?" in capsys.readouterr().err
    assert main(["act", "--underlying", "GOLD"], commands(nothing)) == 2
    assert "known are NIFTY, BANKNIFTY" in capsys.readouterr().err


def test_an_underlying_that_may_be_any_is_none() -> None:
    app, seen = typer.Typer(), []

    @app.command()
    def show(underlying: AnyUnderlyingOption = None) -> None:
        seen.append(underlying)

    assert main([], app) == main(["--underlying", "sensex"], app) == 0
    assert seen == [None, "SENSEX"]


def test_the_store_is_the_flag_else_the_variable_else_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def store(*arguments: str) -> str:
        assert main(["act", "--json", *arguments], commands(nothing)) == 0
        return str(json.loads(capsys.readouterr().out)["store"])

    monkeypatch.chdir(tmp_path)
    assert store() == "data/store"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "mine.toml").write_text('store = "chains"\n')
    assert store("--config", "sub/mine.toml") == "sub/chains"
    monkeypatch.setenv("OPTIQ_STORE", "from_variable")
    assert store("--config", "sub/mine.toml") == "from_variable"
    assert store("--config", "sub/mine.toml", "--store", "given") == "given"
    assert main(["act", "--config", "none.toml"], commands(nothing)) == 2


SLEEPER = """
import sys, time
sys.path.insert(0, {tests!r})
from test_cli import commands
from optiq.cli.app import COMMANDS, app, main

def act():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("unwound", flush=True)

sys.exit(main(["act"], commands(act)))
"""


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
)
def test_a_signal_unwinds_and_gives_its_status(number: int, status: int, word: str) -> None:
    script = SLEEPER.format(tests=str(Path(__file__).parent))
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert out == "unwound\n"
    assert err == f"optiq: {word}\n"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["doctor", "--json"], ["doctor", "--x", "--json"]]
)
def test_a_reader_that_goes_away_is_no_reason_to_complain(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "optiq.cli", *arguments],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.parametrize("arguments", [["--help"], ["doctor"], ["doctor", "--json"]])
def test_an_output_on_a_full_disk_is_said_once(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "optiq.cli", *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 74
    assert done.stderr.count("\n") == 1
    assert "No space left on device" in done.stderr


def test_the_script_says_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "optiq.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "optiq 0.1.0\n"


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr()
    assert "doctor" in said.out
    assert said.err == ""


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom optiq.cli.app import main\nstatus = main(['--help'])\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "sys.exit(f'loaded {heavy}' if heavy else status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: optiq" in done.stdout


HELPERS = {
    "__main__",
    "app",
    "config",
    "legs",
    "model_folder",
    "options",
    "paper_source",
    "paper_watch",
    "ages",
    "eod_alert",
    "eod_steps",
    "found_run",
    "moment",
    "schedule",
    "output",
    "settings",
    "values",
}


def test_every_command_module_is_registered() -> None:
    found = {module.name for module in pkgutil.iter_modules(cli.__path__)} - HELPERS
    assert {name.replace("-", "_") for _, name, _ in COMMANDS} == found


def leaves(command: Any, path: str = "optiq") -> dict[str, Any]:
    """Return every command below a group by what a person types."""
    if not hasattr(command, "commands"):
        return {path: command}
    return {
        name: leaf
        for key, inner in command.commands.items()
        for name, leaf in leaves(inner, f"{path} {key}").items()
    }


LEAVES = leaves(typer.main.get_command(app))


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_speaks_json_and_explains_itself(path: str) -> None:
    command = LEAVES[path]
    spoken = [option for parameter in command.params for option in parameter.opts]
    assert "--json" in spoken
    assert command.help
    unexplained = [p.name for p in command.params if not getattr(p, "help", "")]
    assert unexplained == []


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_shows_its_help(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*path.split()[1:], "--help"]) == 0
    assert f"Usage: {path}" in capsys.readouterr().out


@pytest.mark.parametrize("path", LEAVES)
def test_help_fills_the_lines_of_the_terminal(
    path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line ends where the first word of the next one still had room."""
    monkeypatch.setenv("COLUMNS", "80")
    main([*path.split()[1:], "--help"])
    about = capsys.readouterr().out.split("╭")[0].split(f"Usage: {path}")[1].splitlines()[1:]
    lines = [line.strip() for line in about]
    early = [
        line
        for line, after in pairwise(lines)
        if line and after and len(line) + 1 + len(after.split()[0]) <= 78
    ]
    assert early == []
