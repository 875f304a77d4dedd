"""``optiq cron``: let the evening start by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optiq.cli.options import MODELS, STORE, ConfigOption, JsonOption, ModelsOption, StoreOption

if TYPE_CHECKING:
    from optiq.cli.schedule import Job

app = typer.Typer(help="Let the evening start by itself: show, install, remove.")

SystemdOption = Annotated[
    bool, typer.Option("--systemd", help="A systemd timer of this user instead of a crontab.")
]
LogOption = Annotated[
    Path | None,
    typer.Option("--log", help="Where it writes what it says; evenings/evening.log of the store."),
]
WithOption = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="policy|direction", help="Train this too, every evening."),
]


@app.callback()
def cron() -> None:
    """Let the evening start by itself: show, install, remove."""


@app.command("show")
def show(
    systemd: SystemdOption = False,
    log: LogOption = None,
    extra: WithOption = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Print what `install` would write; it starts often, and optiq decides from the calendar."""
    from optiq.cli.output import emit
    from optiq.cli.schedule import cron_block, units

    job = _job(store, models, config, log, extra)
    files = units(job) if systemd else {"crontab": cron_block(job)}

    def show_all(screen: Any) -> None:
        for name, text in files.items():
            head = f"# {name}\n" if systemd else ""
            screen.print(f"{head}{text}", markup=False, soft_wrap=True, end="")

    emit({"files": files}, as_json=as_json, show=show_all)


@app.command("install")
def install(
    systemd: SystemdOption = False,
    log: LogOption = None,
    extra: WithOption = None,
    config: ConfigOption = None,
    store: StoreOption = STORE,
    models: ModelsOption = MODELS,
    as_json: JsonOption = False,
) -> None:
    """Write our block into this user's crontab, or the units; every other line stays as it is."""
    from optiq.cli import schedule
    from optiq.cli.eod_alert import unheard_by_cron
    from optiq.cli.output import emit, warn
    from optiq.cli.settings import evening_settings
    from optiq.market.durable import durable_write, make_folder

    job = _job(store, models, config, log, extra)
    make_folder(job.log.parent, option="--log")
    for unheard in unheard_by_cron(evening_settings(config).alert):
        warn(unheard)
    if systemd:
        folder = schedule.unit_folder()
        for name, text in schedule.units(job).items():
            durable_write(folder / name, text)
        said = (
            f"Written to {folder}. Start it with: systemctl --user daemon-reload && "
            f"systemctl --user enable --now {schedule.UNIT}.timer"
        )
    else:
        before = schedule.read_crontab()
        schedule.write_crontab(schedule.with_block(before, schedule.cron_block(job)))
        said = f"In the crontab: every {schedule.EVERY_MINUTES} minutes, log in {job.log}."
    emit(
        {"installed": True, "systemd": systemd, "log": job.log, "said": said},
        as_json=as_json,
        show=lambda screen: screen.print(said, soft_wrap=True),
    )


@app.command("remove")
def remove(systemd: SystemdOption = False, as_json: JsonOption = False) -> None:
    """Take our block out of the crontab, or delete the units; every other line stays as it is."""
    from optiq.cli import schedule
    from optiq.cli.output import emit

    if systemd:
        places = [
            schedule.unit_folder() / f"{schedule.UNIT}.{kind}" for kind in ("timer", "service")
        ]
        found = any(place.exists() for place in places)
        for place in places:
            place.unlink(missing_ok=True)
        said = "Units deleted; systemctl --user daemon-reload" if found else "There were none."
    else:
        before = schedule.read_crontab()
        after = schedule.without_block(before)
        found = after != before
        if found:
            schedule.write_crontab(after)
        said = "Taken out of the crontab." if found else "The crontab has no such block."
    emit({"removed": found, "said": said}, as_json=as_json, show=lambda screen: screen.print(said))


def _job(
    store: Path, models: Path, config: Path | None, log: Path | None, extra: list[str] | None
) -> Job:
    from optiq.cli.config import find_file
    from optiq.cli.schedule import job_of
    from optiq.learn.evening.manifest import FOLDER

    return job_of(
        store, models, find_file(config), log or store / FOLDER / "evening.log", extra or ()
    )
