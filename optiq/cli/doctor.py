"""What is installed, what can be written, what time it is, and what to do about each."""

from __future__ import annotations

import datetime as dt
import errno
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.text import Text

from optiq.cli.moment import now
from optiq.cli.options import MODELS, STORE, ConfigOption, JsonOption, ModelsOption, StoreOption
from optiq.cli.output import emit, table
from optiq.errors import AccessError, CannotCreateError, OptiqError, RuleError

State = Literal["ok", "warning", "problem"]

PYTHONS = ((3, 11), (3, 13))
EXTRAS = {
    "learn": "the direction model and the policy",
    "cluster": "sweeps over several machines",
    "postgres": "ingest from PostgreSQL",
    "keyring": "broker tokens from the system's keyring",
}
LOW_SPACE_GB, NO_SPACE_GB = 2.0, 0.2
SLOW_FSYNC_MS = 50.0
FSYNCS = 15


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report; ``exit_code`` counts only where the state is a problem."""

    name: str
    state: State
    found: str
    remedy: str = ""
    exit_code: int = 0


def doctor(
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the installation: versions, extras, folders, clock, today's session, disk.

    The exit status is 0 when nothing stands in the way of a run.
    """
    moment = now()
    checks = [*all_checks(store, models, moment), *evening(store, models, config, moment)]
    checks += exploration(store)
    broken = [check for check in checks if check.state == "problem"]
    result: dict[str, object] = {"ok": not broken, "checks": checks}
    if broken:
        worst = broken[0]
        message = f"{worst.name}: {worst.found}"
        result["error"] = {"code": "problem", "message": message, "hint": worst.remedy}
    emit(result, as_json=as_json, show=lambda console: _show(console, checks))
    if broken:
        raise typer.Exit(broken[0].exit_code)


def all_checks(store: Path, models: Path, now: dt.datetime) -> Iterator[Check]:
    """Yield every check in the order of the report."""
    yield python_version(sys.version_info[:2])
    versions = installed_versions()
    yield from dependencies(versions)
    if "psycopg" in versions:  # else the missing extra has been said already
        yield postgres_driver()
    yield kernel_cache(os.environ)
    yield folder("store", store)
    yield folder("models", models)
    yield disk_sync(_existing(store))
    yield clock(now)
    yield todays_session(now)


def evening(store: Path, models: Path, config: Path | None, moment: dt.datetime) -> Iterator[Check]:
    """Say when the last evening was done, what is missed, and how old each champion is."""
    from optiq.cli.settings import evening_settings
    from optiq.learn import staleness
    from optiq.learn.evening import manifest as evening_manifest
    from optiq.learn.evening.night import pending
    from optiq.market.schema import IST

    try:
        settings = evening_settings(config)
        done = [one.date for one in evening_manifest.all_of(store) if one.state == "done"]
        missed = pending(store, settings, moment) if done else []
        today = moment.astimezone(IST).date()
        ages = staleness.champions(models, today, settings.stale_after_sessions)
    except OptiqError as error:
        yield Check("evening", "warning", str(error), error.hint)
        return
    if not done:
        yield Check("evening", "ok", "none yet", "optiq eod after a close; optiq cron install")
    elif missed:
        found = f"last done {done[-1]}, {len(missed)} missed since"
        yield Check("evening", "warning", found, "optiq eod")
    else:
        yield Check("evening", "ok", f"last done {done[-1]}, none missed")
    for age in ages:
        state: State = "warning" if age.is_stale else "ok"
        yield Check("champion", state, age.words, "optiq eod" if age.is_stale else "")


def exploration(store: Path) -> Iterator[Check]:
    """Say of each underlying how far its episodes have come toward training a policy."""
    from optiq.run.episodes import counted
    from optiq.run.exploring import Progress

    title, go_on = "episodes", "optiq paper-run --policy random, or optiq episodes build"
    try:
        found = counted(store)
    except (OSError, ValueError) as error:
        yield Check(title, "warning", f"cannot be read: {error}", "optiq episodes build")
        return
    if not found:
        yield Check(title, "ok", f"none yet: {Progress(0, 0).words}", go_on)
    for one in found:
        progress = Progress(one["episodes"], one["sessions"])
        remedy = "optiq train-policy" if progress.is_enough else go_on
        yield Check(title, "ok", f"{one['underlying']} {progress.words}", remedy)


def python_version(version: tuple[int, int]) -> Check:
    """Say whether this Python is one of those the project is tested on."""
    text = ".".join(map(str, version))
    if PYTHONS[0] <= version <= PYTHONS[1]:
        return Check("Python", "ok", text)
    return Check("Python", "problem", text, "install Python 3.11, 3.12 or 3.13", 10)


def installed_versions() -> dict[str, str]:
    """Return the version of every distribution that can be imported, by lower-case name."""
    from importlib import metadata

    return {d.name.lower().replace("_", "-"): d.version for d in metadata.distributions()}


def dependencies(versions: Mapping[str, str]) -> Iterator[Check]:
    """Yield a check for each requirement of the core, and one for each extra."""
    from importlib import metadata

    wanted = [_requirement(text) for text in metadata.requires("optiq") or ()]
    for name, extra in wanted:
        if extra is None:
            yield _dependency(name, versions)
    for extra, enables in EXTRAS.items():
        names = [name for name, group in wanted if group == extra]
        missing = [name for name in names if name not in versions]
        yield _extra(extra, enables, names, missing, versions)


def _requirement(text: str) -> tuple[str, str | None]:
    """Return the name and the extra of a requirement: ``dask[x]>=2; extra == "cluster"``."""
    name = re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0]
    extra = re.search(r"extra == ['\"]([^'\"]+)", text)
    return name.lower(), extra[1] if extra else None


def _dependency(name: str, versions: Mapping[str, str]) -> Check:
    if name in versions:
        return Check(name, "ok", versions[name])
    return Check(name, "problem", "not installed", "pip install optiq", 10)


def _extra(
    extra: str, enables: str, names: list[str], missing: list[str], versions: Mapping[str, str]
) -> Check:
    title = f"extra {extra}"
    if not missing:
        return Check(title, "ok", ", ".join(f"{name} {versions[name]}" for name in names))
    found = f"not installed ({', '.join(missing)}); needed only for {enables}"
    return Check(title, "ok", found, f"pip install 'optiq[{extra}]'")


def postgres_driver() -> Check:
    """Say whether the PostgreSQL driver loads, which needs its C library too."""
    try:
        import psycopg
    except ImportError as error:
        remedy = "pip install 'optiq[postgres]'"
        return Check("PostgreSQL driver", "warning", f"does not load: {error}", remedy)
    return Check("PostgreSQL driver", "ok", f"psycopg {psycopg.__version__}, {psycopg.pq.__impl__}")


def kernel_cache(environ: Mapping[str, str]) -> Check:
    """Say whether compiled kernels are kept, so that only the first run pays for compiling."""
    package = Path(__file__).parents[1]
    place = Path(environ.get("NUMBA_CACHE_DIR") or package)
    if not os.access(_existing(place), os.W_OK):
        remedy = "set NUMBA_CACHE_DIR to a folder that can be written"
        return Check("kernel cache", "warning", f"cannot write {place}", remedy)
    kept = sum(1 for _ in place.rglob("*.nbi"))
    if kept == 0:
        return Check("kernel cache", "ok", f"cold: the first run compiles into {place}")
    return Check("kernel cache", "ok", f"warm: {kept} kernels in {place}")


def folder(name: str, path: Path) -> Check:
    """Say whether files can be written under ``path``, which need not exist, and how much fits."""
    title, place = f"{name} folder", _existing(path)
    if not place.is_dir():
        remedy = f"move it away, or give --{name} another folder"
        return _problem(title, f"{place} is not a folder", remedy, CannotCreateError.exit_code)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        denied = error.errno in (errno.EACCES, errno.EPERM)
        status = AccessError.exit_code if denied else CannotCreateError.exit_code
        found = f"cannot write {place}: {error.strerror}"
        return _problem(title, found, f"make it writable, or give --{name} another folder", status)
    free = shutil.disk_usage(place).free / 1e9
    made = "" if path.exists() else ", made by the first run"
    return space(title, free, f"{path}{made}, {free:.1f} GB free")


def space(title: str, free_gb: float, found: str) -> Check:
    """Judge the free space of a folder that can be written."""
    if free_gb < NO_SPACE_GB:
        return _problem(title, found, "free some space", CannotCreateError.exit_code)
    if free_gb < LOW_SPACE_GB:
        return Check(title, "warning", found, "a year of one-minute chains takes about 0.3 GB")
    return Check(title, "ok", found)


def _problem(title: str, found: str, remedy: str, exit_code: int) -> Check:
    return Check(title, "problem", found, remedy, exit_code)


def _existing(path: Path) -> Path:
    """Return the nearest folder above ``path`` (or itself) that is there."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())


def disk_sync(place: Path) -> Check:
    """Measure how long the disk takes to confirm a small write."""
    took = []
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            for _ in range(FSYNCS):
                start = time.perf_counter()
                file.write(b"x" * 4096)
                file.flush()
                os.fsync(file.fileno())
                took.append(1000 * (time.perf_counter() - start))
    except OSError as error:
        return Check("disk sync", "warning", f"not measured: {error.strerror}")
    middle = sorted(took)[FSYNCS // 2]
    found = f"{middle:.1f} ms a write"
    if middle > SLOW_FSYNC_MS:
        return Check("disk sync", "warning", found, "a faster disk makes a journal keep up")
    return Check("disk sync", "ok", found)


def clock(now: dt.datetime) -> Check:
    """Show the time in India; ``now`` is aware."""
    try:
        india = now.astimezone(ZoneInfo("Asia/Kolkata"))
    except ZoneInfoNotFoundError:
        return _problem("clock", "no time-zone data", "pip install tzdata", 10)
    return Check("clock", "ok", f"{india:%Y-%m-%d %H:%M:%S} IST")


def todays_session(now: dt.datetime) -> Check:
    """Say what the calendar knows about today in India, and until when it knows anything."""
    from optiq.market import calendar
    from optiq.market.schema import IST

    title, today = "today's session", now.astimezone(IST).date()
    known = f"the calendar ends {calendar.last_covered_day()}"
    if calendar.is_covered(today) and not calendar.is_session(today):
        return Check(title, "ok", f"none on {today:%A} {today}; {known}")
    try:
        hours = calendar.session(today)
    except RuleError as error:
        return Check(title, "warning", str(error), error.hint)
    opens, closes = calendar.clock(hours.open_minute), calendar.clock(hours.close_minute)
    return Check(title, "ok", f"{hours.kind}, {opens}-{closes} IST ({hours.confidence}); {known}")


def _show(console: Console, checks: list[Check]) -> None:
    colours = {"ok": "green", "warning": "yellow", "problem": "red"}
    rows = table("", "check", "", "found", "what to do")
    for check in checks:
        state = Text(check.state, style=colours[check.state])
        rows.add_row(check.name, state, Text(check.found), Text(check.remedy))
    console.print(rows)
