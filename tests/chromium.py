"""A real headless Chromium, told what to do over the DevTools protocol through two pipes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from time import monotonic
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PATIENCE_S = 30.0

# DevTools over pipes reads from descriptor 3 and writes to 4: no port, and no client to install.
ON_PIPES = """
import os, sys
for wanted, given in ((3, sys.argv[1]), (4, sys.argv[2])):
    os.dup2(int(given), wanted)
os.execv(sys.argv[3], sys.argv[3:])
"""
FLAGS = (
    *("--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"),
    *("--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking"),
    *("--disable-component-update", "--hide-scrollbars", "--mute-audio"),
    "--no-sandbox",  # in containers there may be none to have, and the pages are our own
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def binary() -> str | None:
    """Return where Chromium is installed; None without one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page of the browser, with everything it logged and asked the network for."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result."""
        return self._browser.call(method, parameters, self._session)

    def ask(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        done = self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def open(
        self, page: Path, *, width: int = 1200, dark: bool = False, settle: bool = True
    ) -> None:
        """Load a file at a width and in a colour scheme; return when it is loaded and painted."""
        self.resize(width)
        self.scheme("dark" if dark else "light")
        self._browser.events.clear()
        self.do("Page.navigate", url=page.as_uri())
        self._browser.wait_for("Page.loadEventFired")
        if settle:
            self.settle()

    def resize(self, width: int) -> None:
        """Give the page a width; under 500 pixels it is a phone."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.do("Emulation.setDeviceMetricsOverride", **size)

    def scheme(self, name: str) -> None:
        """Let the page think that the person prefers ``light`` or ``dark``."""
        wanted = [{"name": "prefers-color-scheme", "value": name}]
        self.do("Emulation.setEmulatedMedia", features=wanted)

    def settle(self) -> None:
        """Wait for two frames: what was changed has been laid out and painted."""
        self.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element, as a hand does."""
        script = (
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        x, y = self.ask(script)
        for kind in ("mousePressed", "mouseReleased"):
            spot = {"x": x, "y": y, "button": "left", "clickCount": 1}
            self.do("Input.dispatchMouseEvent", type=kind, **spot)
        self.settle()

    def point(self, x: float, y: float) -> None:
        """Move the mouse."""
        self.do("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.settle()

    @property
    def requests(self) -> list[str]:
        """The addresses asked for since the page was opened, its own among them."""
        sent = self._browser.named("Network.requestWillBeSent")
        return [event["request"]["url"] for event in sent]

    @property
    def complaints(self) -> list[str]:
        """Everything on the console, uncaught errors and refusals of the policy among it."""
        said = [
            f"{event['type']}: {[part.get('value') for part in event['args']]}"
            for event in self._browser.named("Runtime.consoleAPICalled")
        ]
        logged = [event["entry"]["text"] for event in self._browser.named("Log.entryAdded")]
        thrown = self._browser.named("Runtime.exceptionThrown")
        return [*said, *logged, *(str(event["exceptionDetails"]) for event in thrown)]


class Browser:
    """The two pipes, and what came through them."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._rest = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def tab(self) -> Tab:
        """Open an empty page."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attach = {"targetId": target, "flatten": True}
        return Tab(self, self.call("Target.attachToTarget", attach)["sessionId"])

    def call(self, method: str, parameters: dict[str, Any], session: str = "") -> dict[str, Any]:
        """Send a command and return its answer, keeping the events that come before it."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": session} if session else {}
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def wait_for(self, method: str) -> None:
        """Wait until an event has happened since the events were cleared."""
        while not self.named(method):
            self.events.append(self._next())

    def named(self, method: str) -> list[dict[str, Any]]:
        """Return what the events of a name said."""
        return [event["params"] for event in self.events if event.get("method") == method]

    def _next(self) -> dict[str, Any]:
        until = monotonic() + PATIENCE_S
        while b"\0" not in self._rest:
            ready, _, _ = select([self._reading], [], [], max(0.0, until - monotonic()))
            assert ready, f"Chromium said nothing for {PATIENCE_S:g} s"
            part = os.read(self._reading, 1 << 16)
            assert part, "Chromium has gone"
            self._rest += part
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium with a new profile and without a network; end it and delete the profile."""
    program = binary()
    assert program is not None
    to_browser, from_us = os.pipe()
    to_us, from_browser = os.pipe()
    with tempfile.TemporaryDirectory(prefix="optiq-", ignore_cleanup_errors=True) as profile:
        words = (program, *FLAGS, f"--user-data-dir={profile}", "about:blank")
        ends = _above_four(to_browser, from_browser)
        process = subprocess.Popen(
            [sys.executable, "-c", ON_PIPES, *map(str, ends), *words],
            pass_fds=ends,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in ends:
            os.close(end)
        try:
            yield Browser(to_us, from_us)
        finally:
            os.close(from_us)  # it leaves when its pipe closes
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(to_us)


def _above_four(*descriptors: int) -> tuple[int, ...]:
    """Move descriptors out of the way of 3 and 4."""
    import fcntl

    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in descriptors)
    for end in descriptors:
        os.close(end)
    return moved
