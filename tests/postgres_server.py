"""A real PostgreSQL server in a temporary folder, run by an unprivileged user, for one test run."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Return the folder of the server's programs, the newest one installed; None without one."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def server() -> Iterator[str]:
    """Start a server on a Unix socket and give its folder; stop it and delete everything after."""
    programs = binaries()
    assert programs is not None
    with tempfile.TemporaryDirectory(prefix="optiq-pg-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        user = _unprivileged(home)
        data, log = home / "data", home / "log"
        _run(user, programs / "initdb", "-D", data, "-U", "optiq", "-A", "trust", "--no-sync")
        options = f"-k {home} -c listen_addresses='' -c fsync=off"
        control = (programs / "pg_ctl", "-D", data, "-w")
        _run(user, *control, "-l", log, "-o", options, "start")
        try:
            yield str(home)
        finally:
            _run(user, *control, "-m", "immediate", "stop")


def _unprivileged(home: Path) -> str | None:
    """Return who runs the server: nobody in place of root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    home.chmod(0o755)
    shutil.chown(home, "nobody")
    return "nobody"


def _run(user: str | None, *command: object) -> None:
    entry = pwd.getpwnam(user) if user else None
    done = subprocess.run(
        [str(part) for part in command],
        user=entry.pw_uid if entry else None,
        group=entry.pw_gid if entry else None,
        extra_groups=[] if entry else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a pipe would stay open in the server
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed with {done.returncode}")
