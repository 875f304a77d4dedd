"""Telling someone elsewhere: a program or a web address, each in its own time and thread.

An alert is sent at most once by us, after what it tells was committed: whoever is killed in between
never sends it, and a restart sends nothing of what is journaled. A web server that was slow to
answer may get it twice; its ``id`` is the same then.
"""

from __future__ import annotations

import json
import os
import queue
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

from optiq.errors import InputError, OptiqError
from optiq.market.feeds import dhan, upstox
from optiq.market.feeds.clocks import system_clock
from optiq.market.feeds.faults import FeedFault
from optiq.market.feeds.secret import Secret
from optiq.market.feeds.web import Web

KINDS = ("entry", "exit", "fault", "limit", "end")
ROOM = 256
"""Alerts that may wait for one target; more are counted as failed."""
TRIES, FIRST_PAUSE_S, LONGEST_PAUSE_S = 3, 0.5, 10.0
BY_VARIABLE = "webhook:env:"
"""Before the name of a variable that holds a web address."""
WITHHELD = {*dhan.VARIABLES, *upstox.VARIABLES, "NOTIFY_SOCKET"}
"""Variables that a program which only hears of trades does not get."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something to tell: one of `KINDS`, a name that stays the same, words, and JSON values."""

    kind: str
    id: str
    text: str
    told: Mapping[str, Any]

    def body(self) -> dict[str, Any]:
        """Return what is sent."""
        return {"id": self.id, "kind": self.kind, "text": self.text, **self.told}


class Undelivered(OptiqError):  # noqa: N818 - it is what became of an alert
    """An alert that a target did not take; ``is_final`` where trying again would not help."""

    code = "undelivered"

    def __init__(self, message: str, *, is_final: bool = True, pause_s: float = 0.0) -> None:
        super().__init__(message)
        self.is_final, self.pause_s = is_final, pause_s


class Target(Protocol):
    """Where alerts go; ``name`` may be printed anywhere."""

    name: str

    def deliver(self, alert: Alert) -> None:
        """Hand an alert over, or raise `Undelivered`."""


class Program:
    """A program of the user's, started once an alert and never by a shell.

    It gets the alert as JSON on stdin, and ``OPTIQ_ALERT_KIND``, ``_ID`` and ``_TEXT``.
    """

    def __init__(
        self, command: str, environ: Mapping[str, str] = os.environ, timeout_s: float = 10.0
    ) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise InputError(f"--alert exec: {error}", "quote it as in a shell") from error
        if not self._words or shutil.which(self._words[0], path=environ.get("PATH")) is None:
            missing = self._words[0] if self._words else "nothing"
            raise InputError(f"--alert exec: {missing} is no program", "give its path")
        self.name = f"exec:{os.path.basename(self._words[0])}"
        self._timeout_s = timeout_s
        self._environ = {n: value for n, value in environ.items() if n not in WITHHELD}

    def deliver(self, alert: Alert) -> None:
        """Start the program, and wait until it has ended well."""
        told = {"KIND": alert.kind, "ID": alert.id, "TEXT": alert.text}
        own = {f"OPTIQ_ALERT_{name}": value.replace("\0", "") for name, value in told.items()}
        try:
            child = subprocess.Popen(
                self._words,
                env=self._environ | own,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the session alone
            )
        except OSError as error:
            raise Undelivered(f"{self.name} cannot be started: {error.strerror}") from error
        with child:
            self._wait(child, json.dumps(alert.body()).encode())

    def _wait(self, child: subprocess.Popen[bytes], body: bytes) -> None:
        try:
            child.communicate(body, self._timeout_s)
        except subprocess.TimeoutExpired as late:
            os.killpg(child.pid, signal.SIGKILL)
            raise Undelivered(f"{self.name} took over {self._timeout_s:g} s") from late
        if child.returncode:
            raise Undelivered(f"{self.name} ended with {child.returncode}")


class Webhook:
    """A web address that alerts are posted to as JSON; all of it but the host is a secret."""

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        parts = _address(url)
        if parts is None:
            raise InputError("--alert webhook: that is no web address", "give https://...")
        self.name = f"webhook:{parts.hostname}"
        self._path = Secret(f"{parts.path or '/'}?{parts.query}".removesuffix("?"))
        origin = f"{parts.scheme}://{parts.netloc}"
        clock = system_clock()
        self._web = Web(self.name, origin, {}, pace_s=0.0, timeout_s=timeout_s, clock=clock)

    def deliver(self, alert: Alert) -> None:
        """Post the alert; whatever is not a success is `Undelivered`."""
        try:
            self._web.post(self._path.reveal(), alert.body())
        except FeedFault as fault:
            is_final = fault.kind in ("refused", "redirected")
            trouble = Undelivered(str(fault), is_final=is_final, pause_s=fault.retry_after_s)
        else:
            return
        raise trouble


def target_of(
    text: str, environ: Mapping[str, str] = os.environ, beside: Sequence[str] = ()
) -> Target:
    """Return the target that ``exec:COMMAND``, ``webhook:URL`` or ``webhook:env:NAME`` names.

    The last takes the address from a variable: what stands in a command, any user can list. A
    program does not get the variables that the targets ``beside`` it name.
    """
    kind, _, rest = text.partition(":")
    if kind == "exec":
        secrets = {one.removeprefix(BY_VARIABLE) for one in beside if one.startswith(BY_VARIABLE)}
        return Program(rest, {n: value for n, value in environ.items() if n not in secrets})
    if kind != "webhook":
        raise InputError(f"--alert {kind}: is no way to tell", "give exec:COMMAND or webhook:URL")
    if rest.startswith("env:"):
        name = rest.removeprefix("env:")
        if not environ.get(name):
            raise InputError(f"--alert webhook: no {name} in the environment", "export it")
        rest = environ[name].strip()
    return Webhook(rest)


def _address(url: str) -> SplitResult | None:
    """Return the parts of a web address; what is none is not repeated in any error."""
    if not (url.isascii() and url.isprintable()) or " " in url:
        return None
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    return None


class Delivery:
    """One target, its thread, and the alerts that wait for it."""

    def __init__(
        self,
        target: Target,
        room: int = ROOM,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self.target, self._pause, self._room = target, pause, room
        self.taken = self.sent = self.refused = self.dropped = 0
        self.trouble = ""
        self._waiting: queue.Queue[Alert | None] = queue.Queue(room)
        self._thread = threading.Thread(target=self._work, name=target.name, daemon=True)
        self._thread.start()

    @property
    def failed(self) -> int:
        """Alerts that will not be delivered any more."""
        return self.refused + self.dropped

    def put(self, alert: Alert) -> None:
        """Let an alert wait for its turn; one too many fails."""
        try:
            self._waiting.put_nowait(alert)
            self.taken += 1
        except queue.Full:
            self.dropped += 1
            self.trouble = f"{self.target.name} is behind by {self._room} alerts"

    def close(self, patience_s: float) -> None:
        """Wait a while for what is still under way; what is left then counts as failed."""
        ends = time.monotonic() + patience_s
        with suppress(queue.Full):  # then too much is left to wait for
            self._waiting.put(None, timeout=patience_s)
            self._thread.join(max(ends - time.monotonic(), 0.0))
        if left := self.taken - self.sent - self.refused:
            self.dropped += left
            self.trouble = f"{self.target.name} was not waited for"

    def _work(self) -> None:
        while (alert := self._waiting.get()) is not None:
            self._deliver(alert)

    def _deliver(self, alert: Alert) -> None:
        for attempt in range(TRIES):
            try:
                self.target.deliver(alert)
            except Undelivered as error:
                self.trouble = str(error)
                if error.is_final:
                    break
                pause = max(FIRST_PAUSE_S * 2.0**attempt, error.pause_s)
            else:
                self.sent += 1
                return
            if attempt < TRIES - 1:
                self._pause(min(pause, LONGEST_PAUSE_S))
        self.refused += 1


class Alerts:
    """All targets, and the kinds of alert that they get."""

    def __init__(self, targets: Sequence[Target], kinds: Collection[str] = KINDS) -> None:
        if unknown := sorted(set(kinds) - set(KINDS)):
            raise InputError(f"no alerts on {unknown[0]}", f"give some of {', '.join(KINDS)}")
        self.kinds = frozenset(kinds)
        self.deliveries = [Delivery(target) for target in targets]

    def send(self, alert: Alert) -> None:
        """Give an alert to every target; this returns at once and never fails."""
        if alert.kind in self.kinds:
            for delivery in self.deliveries:
                delivery.put(alert)

    def troubles(self) -> list[str]:
        """Say in words which targets failed, and of what last."""
        return [
            f"{d.failed} {'alert' if d.failed == 1 else 'alerts'} not delivered: {d.trouble}"
            for d in self.deliveries
            if d.failed
        ]

    def close(self, patience_s: float) -> None:
        """Wait for what is under way, all targets together no longer than ``patience_s``."""
        ends = time.monotonic() + patience_s
        for delivery in self.deliveries:
            delivery.close(max(ends - time.monotonic(), 0.0))
