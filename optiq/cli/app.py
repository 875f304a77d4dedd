"""The ``optiq`` command: what there is, and how every failure becomes one line and one status."""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Annotated, NoReturn

import typer
from typer.core import TyperGroup

from optiq import __version__
from optiq.cli import (
    audit,
    backtest,
    charges,
    cron,
    data,
    demo,
    doctor,
    drift,
    eod,
    episodes,
    explain,
    features,
    ingest,
    margin,
    models,
    paper_run,
    parity,
    report,
    reprice,
    rules,
    sessions,
    simulate,
    strategies,
    train_direction,
    train_policy,
    train_scorer,
)
from optiq.cli.output import console, write_json
from optiq.errors import AccessError, CannotCreateError, OptiqError, StorageError

DATA, RESEARCH, MODELS, EVERY_DAY = "Data", "Research", "Models", "Every day"

READER_GONE, BUG, INTERRUPTED, TERMINATED = 1, 70, 130, 143

FAILURES = {
    errno.EACCES: AccessError,
    errno.EPERM: AccessError,
    errno.EROFS: CannotCreateError,
    errno.ENOENT: CannotCreateError,
    errno.ENOTDIR: CannotCreateError,
    errno.EISDIR: CannotCreateError,
    errno.EEXIST: CannotCreateError,
}
"""What a system error that nothing caught means; any other is a `StorageError`.

A missing file a command wanted to read never gets here: the command says so itself.
"""

COMMANDS: tuple[tuple[str, str, typer.Typer | Callable[..., None]], ...] = (
    (DATA, "ingest", ingest.ingest),
    (DATA, "data", data.app),
    (DATA, "simulate", simulate.simulate),
    (DATA, "rules", rules.app),
    (DATA, "charges", charges.charges),
    (RESEARCH, "backtest", backtest.backtest),
    (RESEARCH, "report", report.report),
    (RESEARCH, "explain", explain.explain),
    (RESEARCH, "strategies", strategies.app),
    (RESEARCH, "margin", margin.margin),
    (RESEARCH, "features", features.features),
    (MODELS, "train-scorer", train_scorer.train_scorer),
    (MODELS, "audit", audit.audit),
    (MODELS, "train-direction", train_direction.train_direction),
    (MODELS, "train-policy", train_policy.train_policy),
    (MODELS, "models", models.app),
    (EVERY_DAY, "paper-run", paper_run.paper_run),
    (EVERY_DAY, "parity", parity.parity),
    (EVERY_DAY, "sessions", sessions.app),
    (RESEARCH, "reprice", reprice.reprice),
    (EVERY_DAY, "episodes", episodes.app),
    (EVERY_DAY, "drift", drift.drift),
    (EVERY_DAY, "eod", eod.app),
    (EVERY_DAY, "cron", cron.app),
    (EVERY_DAY, "demo", demo.demo),
    (EVERY_DAY, "doctor", doctor.doctor),
)
"""Panel, name and command or group of commands, in the order of the help."""


class InOrder(TyperGroup):
    """Lists commands as the table does; typer would put groups last."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the names."""
        return [name for _, name, _ in COMMANDS]


app = typer.Typer(
    name="optiq",
    cls=InOrder,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _panel, _name, _act in COMMANDS:
    if isinstance(_act, typer.Typer):
        app.add_typer(_act, name=_name, rich_help_panel=_panel)
    else:
        app.command(_name, rich_help_panel=_panel)(_act)


def _print_version(wanted: bool) -> None:
    if wanted:
        console().print(f"optiq {__version__}")
        raise typer.Exit


@app.callback()
def optiq(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Research, backtest and paper-trade Indian index options.

    Start with `optiq demo`; every command has its own --help.
    """


def main(arguments: Sequence[str] | None = None, commands: typer.Typer = app) -> int:
    """Run one command and return its exit status; the console script calls this."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    before = signal.signal(signal.SIGTERM, _terminate)
    status = 0
    try:
        status = _run(commands, given, as_json)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has had enough
        status = _drop_output(READER_GONE)
    except OSError as error:  # stdout is a file on a full disk
        status = _drop_output(status or _fail_to_write(error))
    finally:
        signal.signal(signal.SIGTERM, before)
    return status


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    """Unwind through every ``finally``, so that nothing half-written stays."""
    raise SystemExit(TERMINATED)


def _run(commands: typer.Typer, given: list[str], as_json: bool) -> int:
    command = typer.main.get_command(commands)
    try:
        status = command.main(given, prog_name="optiq", standalone_mode=False)
    except SystemExit as leaving:
        status = leaving.code
    except typer.TyperException as error:
        message = error.format_message()
        return _fail(error.exit_code, "usage", message, _see_help(error), as_json)
    except typer.Abort:
        status = INTERRUPTED
    except OSError as error:
        failure = as_optiq_error(error)
        return _fail(failure.exit_code, failure.code, str(failure), failure.hint, as_json)
    except OptiqError as error:
        return _fail(error.exit_code, error.code, str(error), error.hint, as_json)
    except Exception as error:  # noqa: BLE001 - the outermost loop; the traceback is kept
        kind = type(error).__name__
        return _fail(BUG, "bug", f"internal error: {kind}: {error}", _report(), as_json)
    if status in (INTERRUPTED, TERMINATED):
        word = "interrupted" if status == INTERRUPTED else "terminated"
        return _fail(status, word, word, "", as_json)
    return status if isinstance(status, int) else 0


def as_optiq_error(error: OSError) -> OptiqError:
    """Return what a system error means, with the file it was about."""
    kind = FAILURES.get(error.errno or 0, StorageError)
    reason = error.strerror or str(error)
    where = f": {os.fsdecode(error.filename)}" if error.filename else ""
    hints = {
        errno.ENOSPC: "free some space and run it again",
        errno.EROFS: "choose a folder that can be written",
        errno.EACCES: "give this user the right to it, or choose another place",
        errno.EPERM: "give this user the right to it, or choose another place",
    }
    return kind(f"{reason}{where}", hints.get(error.errno or 0, ""))


def _see_help(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"see {context.command_path} --help" if context else "see optiq --help"


def _report() -> str:
    """Keep the traceback of the exception being handled; return what to do with it."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="optiq-", suffix=".traceback.txt", delete=False, encoding="utf-8"
        ) as file:
            traceback.print_exc(file=file)
    except OSError:
        return "please report it"
    return f"please report it with {file.name}"


def _fail(status: int, code: str, message: str, hint: str, as_json: bool) -> int:
    message = "".join(c if c.isprintable() else "?" for c in " ".join(message.split()))
    if as_json:
        error = {"code": code, "message": message, "hint": hint}
        write_json({"ok": False, "error": error})
    elif message:  # a group without a command has shown its help already
        sys.stderr.write(f"optiq: {message}{f' ({hint})' if hint else ''}\n")
    return status


def _fail_to_write(error: OSError) -> int:
    failure = as_optiq_error(error)
    message = f"cannot write the output: {failure}"
    return _fail(failure.exit_code, failure.code, message, failure.hint, as_json=False)


def _drop_output(status: int) -> int:
    """Let what is still buffered go nowhere, so that Python's exit does not try again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status
