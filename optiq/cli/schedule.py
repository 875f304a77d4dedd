"""The lines that start the evening: a block of a crontab, or a systemd service and its timer.

Whoever starts it knows nothing of this shell: every path is absolute, and it is called often,
because only `optiq eod --if-due` knows when a session is over.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optiq.errors import AccessError, MissingDataError, StorageError

BEGIN, END = "# >>> optiq evening >>>", "# <<< optiq evening <<<"
EVERY_MINUTES = 10
KEPT = ("PYTHONPATH", "XDG_CACHE_HOME")
"""Variables without which the program, or what it has compiled, would not be found again."""
UNIT = "optiq-evening"


@dataclass(frozen=True, slots=True)
class Job:
    """The command, where it writes what it says, and the variables it needs."""

    arguments: tuple[str, ...]
    log: Path
    variables: Mapping[str, str]


def job_of(
    store: Path,
    models: Path,
    config: Path | None,
    log: Path,
    extra: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Job:
    """Return the job of these folders; all its paths are absolute."""
    settings = () if config is None else ("--config", str(config.absolute()))
    places = ("--store", str(store.absolute()), "--models", str(models.absolute()))
    more = tuple(word for kind in extra for word in ("--with", kind))
    command = (sys.executable, "-m", "optiq.cli", "eod", "--if-due")
    kept = {name: environ[name] for name in KEPT if environ.get(name)}
    return Job((*command, *settings, *places, *more), log.absolute(), kept)


def cron_block(job: Job) -> str:
    """Return the block of a crontab; cron reads a bare % as the end of the command."""
    setting = "".join(f"{name}={shlex.quote(value)} " for name, value in job.variables.items())
    command = f"{setting}{shlex.join(job.arguments)} >> {shlex.quote(str(job.log))} 2>&1"
    escaped = command.replace("%", "\\%")
    return f"{BEGIN}\n*/{EVERY_MINUTES} * * * * nice -n 10 env {escaped}\n{END}\n"


def with_block(crontab: str, block: str) -> str:
    """Return a crontab with our block in place of the one it had; all other lines stay."""
    rest = without_block(crontab)
    return f"{rest}{'' if not rest or rest.endswith(chr(10)) else chr(10)}{block}"


def without_block(crontab: str) -> str:
    """Return a crontab without our block."""
    kept, inside = [], False
    for line in crontab.splitlines(keepends=True):
        inside = inside or line.strip() == BEGIN
        if not inside:
            kept.append(line)
        inside = inside and line.strip() != END
    return "".join(kept)


def read_crontab() -> str:
    """Return this user's crontab, "" without one."""
    done = _crontab("-l")
    if done.returncode and "no crontab" not in done.stderr:
        raise AccessError(f"crontab -l: {done.stderr.strip()}", "see `man crontab`")
    return done.stdout if not done.returncode else ""


def write_crontab(text: str) -> None:
    """Put a crontab in place of this user's; cron takes it whole or not at all."""
    done = _crontab("-", given=text)
    if done.returncode:
        raise StorageError(f"crontab: {done.stderr.strip()}", "the crontab is as it was")


def _crontab(argument: str, given: str = "") -> subprocess.CompletedProcess[str]:
    if shutil.which("crontab") is None:
        raise MissingDataError("there is no crontab here", "install cron, or give --systemd")
    return subprocess.run(["crontab", argument], input=given, capture_output=True, text=True)


def units(job: Job) -> dict[str, str]:
    """Return the service and the timer by file name; systemd reads % and $ as its own."""
    command = " ".join(_unit_word(word) for word in job.arguments)
    variables = "".join(
        f"Environment={_unit_word(f'{name}={value}')}\n" for name, value in job.variables.items()
    )
    log = str(job.log).replace("%", "%%")
    service = (
        "[Unit]\nDescription=optiq evening: data in, models questioned and retrained\n\n"
        f"[Service]\nType=oneshot\nNice=10\n{variables}ExecStart={command}\n"
        f"StandardOutput=append:{log}\nStandardError=append:{log}\n"
        "SuccessExitStatus=4 10\n"
    )
    timer = (
        "[Unit]\nDescription=ask often whether the optiq evening is due\n\n"
        f"[Timer]\nOnCalendar=*:0/{EVERY_MINUTES}\nPersistent=true\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )
    return {f"{UNIT}.service": service, f"{UNIT}.timer": timer}


def unit_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where this user's units lie."""
    home = environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "systemd" / "user"


def _unit_word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped.replace("%", "%%").replace("$", "$$")}"'
