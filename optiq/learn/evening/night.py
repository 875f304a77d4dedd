"""An evening: ordered steps from the day's recordings to a champion, each of them done once.

A step that is done is not done again; one that fails is named, and the steps that do not need it
run all the same. Whoever is killed goes on where it was. Nothing here trades, and the champion
serves on until a gate says otherwise.
"""

from __future__ import annotations

import datetime as dt
import shutil
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from optiq.errors import (
    AccessError,
    BusyError,
    CannotCreateError,
    EvidenceError,
    InputError,
    MissingDataError,
    OptiqError,
    StorageError,
)
from optiq.learn.evening import manifest as evening_manifest
from optiq.learn.evening.calendar import latest_evening, sessions
from optiq.learn.evening.manifest import FOLDER, Facts, Manifest, Step, folder_of
from optiq.learn.evening.settings import EveningSettings
from optiq.market.durable import durable_write, make_folder

BUG = 70
BUGS = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError),
    *(RuntimeError, TypeError, ValueError),
)
"""What a step that is wrong raises; anything else ends the evening, and a rerun goes on."""
TIMES_LAST = 3
MEGABYTE = 1 << 20
STOPPING = (StorageError, CannotCreateError, AccessError, BusyError)
"""Troubles of the place, not of a step: nothing else would go better, and a rerun goes on."""


class Skipped(OptiqError):  # noqa: N818 - it is what became of a step
    """A step that has nothing to do, with the reason."""


@dataclass(frozen=True)
class Tonight:
    """What a step gets: the evening's date and places, the time (UTC), and what was found before.

    ``advance`` shows life; a step that takes long calls it now and then.
    """

    date: dt.date
    store: Path
    models: Path
    now: dt.datetime
    manifest: Manifest
    advance: Callable[[int], None] = lambda _: None

    def facts(self, step: str) -> Facts:
        """Return what an earlier step found."""
        return self.manifest.facts(step)


@dataclass(frozen=True)
class EveningStep:
    """One step: its name, the steps it needs, and what it does; facts are plain JSON.

    ``needs_any`` are steps of which one must be done.
    """

    name: str
    act: Callable[[Tonight], Facts]
    needs: tuple[str, ...] = ()
    needs_any: tuple[str, ...] = ()


Conclude = Callable[[Manifest, Path], None]
Beat = Callable[[Manifest, str], None]


@dataclass(frozen=True)
class Evening:
    """How evenings are run here.

    ``steps`` gives those of a date; ``conclude`` writes the report of a manifest into a folder;
    ``beat`` is told what is under way.
    """

    store: Path
    models: Path
    settings: EveningSettings
    now: dt.datetime
    steps: Callable[[dt.date], Sequence[EveningStep]]
    conclude: Conclude = lambda manifest, folder: None
    beat: Beat = lambda manifest, step: None

    def run(self, dates: Sequence[dt.date]) -> list[Manifest]:
        """Run evenings in order and return them; the caller holds the lock."""
        require_space(self.store, self.models, self.settings)
        return [self._run(date) for date in dates]

    def _run(self, date: dt.date) -> Manifest:
        manifest = evening_manifest.read(self.store, date) or Manifest(date)
        if manifest.state == "done":
            return manifest
        if _is_without_data(manifest):
            manifest = replace(manifest, steps={})  # the recording may have come since
        before = manifest.bytes_before or size_of(self.store) + size_of(self.models)
        manifest = replace(manifest, state="open", tried=_iso(self.now), bytes_before=before)
        evening_manifest.write(self.store, manifest)
        for step in self.steps(date):
            if not manifest.is_step_done(step.name):
                manifest = manifest.with_step(step.name, self._done(step, manifest))
                evening_manifest.write(self.store, manifest)
            if _is_without_data(manifest):
                break
        return self._concluded(manifest)

    def _done(self, step: EveningStep, manifest: Manifest) -> Step:
        """Do one step; what fails is told, what says that the place is at fault ends it all."""
        if reason := _unmet(step, manifest):
            return Step("skipped", reason=reason)
        self.beat(manifest, step.name)
        tonight = Tonight(
            manifest.date,
            self.store,
            self.models,
            self.now,
            manifest,
            lambda _: self.beat(manifest, step.name),
        )
        try:
            return Step("done", step.act(tonight))
        except (Skipped, EvidenceError) as few:  # too little to learn from yet is no failure
            return Step("skipped", reason=_one_line(few))
        except STOPPING:
            raise
        except OptiqError as error:
            return Step("failed", reason=_one_line(error), exit_code=error.exit_code)
        except OSError:
            raise
        except BUGS as error:  # a bug of one step must not stop the others
            trace = folder_of(self.store, manifest.date) / f"{step.name}.traceback.txt"
            durable_write(trace, traceback.format_exc())
            words = f"internal error: {type(error).__name__}: {error} (see {trace.name})"
            return Step("failed", reason=words, exit_code=BUG)

    def _concluded(self, manifest: Manifest) -> Manifest:
        failed = [name for name, step in manifest.steps.items() if step.status == "failed"]
        if _is_without_data(manifest):
            manifest = replace(manifest, state="no data")
        else:
            after = size_of(self.store) + size_of(self.models)
            state = "failed" if failed else "done"
            manifest = replace(manifest, state=state, bytes_after=after)  # type: ignore[arg-type]
        self.beat(manifest, "report")
        self.conclude(manifest, folder_of(self.store, manifest.date))
        evening_manifest.write(self.store, manifest)
        self.beat(manifest, "")
        return manifest


def pending(
    store: Path,
    settings: EveningSettings,
    now: dt.datetime,
    date: dt.date | None = None,
    since: dt.date | None = None,
) -> list[dt.date]:
    """Return the evenings to run, oldest first: up to ``date``, or the last session that is over.

    Those after the last one that was finished are missed and come first; without any, only the
    last. ``since`` goes back further. `InputError` where the session is not over yet.
    """
    latest = latest_evening(now, settings.underlyings, settings.margin_minutes)
    if date is not None and date > latest and sessions(date, date, settings.underlyings):
        raise InputError(
            f"the evening of {date} has not come", f"the last session that is over is {latest}"
        )
    last = date or latest
    done = {m.date for m in evening_manifest.all_of(store) if m.state == "done"}
    finished = max((day for day in done if day <= last), default=None)
    if since is None and finished is None:
        wanted = sessions(last, last, settings.underlyings)
    else:
        first = since or (finished or last) + dt.timedelta(days=1)
        wanted = sessions(first, last, settings.underlyings)
    return [day for day in wanted if day not in done]


def is_worth_trying(manifest: Manifest | None, settings: EveningSettings, now: dt.datetime) -> bool:
    """Return whether cron should try: at once if new or interrupted, else after a pause."""
    if manifest is None or manifest.state == "open" or not manifest.tried:
        return True
    pause = dt.timedelta(minutes=settings.retry_minutes)
    return now - dt.datetime.fromisoformat(manifest.tried) >= pause


def require_space(store: Path, models: Path, settings: EveningSettings) -> None:
    """Raise `StorageError` unless there is room for three times what the last evening used."""
    used = [m.bytes_used for m in evening_manifest.all_of(store) if m.state == "done"]
    needed = max(settings.least_free_mb * MEGABYTE, TIMES_LAST * used[-1] if used else 0)
    for place in (store, models):
        make_folder(place)
        free = shutil.disk_usage(place).free
        if free < needed:
            raise StorageError(
                f"{place}: {free / MEGABYTE:,.0f} MB free, an evening needs "
                f"{needed / MEGABYTE:,.0f}",
                "free some space; nothing was begun",
            )


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder, the evenings' own and locks apart.

    A lock names its process, whose number has more digits one time than the next.
    """
    files = (path for path in folder.rglob("*") if path.is_file() and FOLDER not in path.parts)
    return sum(path.stat().st_size for path in files if not path.name.startswith("."))


def _unmet(step: EveningStep, manifest: Manifest) -> str:
    """Return why a step cannot run, "" where it can."""
    missing = [name for name in step.needs if not manifest.is_step_done(name)]
    if missing:
        return f"needs {missing[0]}, which is not done"
    if step.needs_any and not any(manifest.is_step_done(name) for name in step.needs_any):
        return f"needs {' or '.join(step.needs_any)}, and none is done"
    return ""


def _is_without_data(manifest: Manifest) -> bool:
    check = manifest.steps.get("check")
    return check is not None and check.exit_code == MissingDataError.exit_code


def _one_line(error: OptiqError) -> str:
    return " ".join(f"{error}{f' ({error.hint})' if error.hint else ''}".split())


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds")
