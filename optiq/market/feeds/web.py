"""One server asked politely: a pace, a time limit, a size limit, no redirects, no secrets told."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import numpy as np

from optiq.market.feeds.clocks import Clock, seconds
from optiq.market.feeds.faults import FeedFault
from optiq.market.feeds.secret import Secret

LARGEST_BYTES = 32 * 2**20
LONGEST_PAUSE_S = 900.0
"""However long a server asks to be left alone."""
UNAUTHORISED = (401, 403, 407, 451)
TOO_MANY = 429

_ERROR_CODE = re.compile(rb'"error_?code"\s*:\s*"([A-Z]{2,8}-?\d{2,7})"', re.IGNORECASE)

for _talkative in ("httpx", "httpcore"):
    logging.getLogger(_talkative).setLevel(logging.CRITICAL)


Headers = Mapping[str, str | Secret]


class Web:
    """One server.

    Parameters
    ----------
    headers
        Of every request; a `Secret` is revealed there and nowhere else.
    pace_s
        Requests start at least so many seconds apart.
    timeout_s
        For a whole answer, however slowly it drips.
    stopwatch
        Seconds that only grow; they measure the time limit.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        headers: Headers,
        *,
        pace_s: float,
        timeout_s: float,
        clock: Clock,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._secrets = [value for value in headers.values() if isinstance(value, Secret)]
        self._headers = headers
        self._client = httpx.Client(base_url=base_url, timeout=timeout_s, follow_redirects=False)
        self._pace_s, self._clock = pace_s, clock
        self._timeout_s, self._stopwatch = timeout_s, stopwatch
        self._asked_at: np.datetime64 | None = None

    def get(self, path: str, params: Mapping[str, str] | None = None) -> bytes:
        """Return the body of a page; `FeedFault` for whatever is not one."""
        return self._ask("GET", path, params=dict(params or {}))

    def post(self, path: str, body: Mapping[str, Any]) -> bytes:
        """Return the body of the answer to some JSON; `FeedFault` for whatever is not one."""
        return self._ask("POST", path, json=dict(body))

    def forget_cookies(self) -> None:
        """Come as a stranger the next time."""
        self._client.cookies.clear()

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def scrub(self, text: str) -> str:
        """Return a text without the secrets that a server may have echoed."""
        for secret in self._secrets:
            text = secret.scrub(text)
        return text

    def _ask(self, method: str, path: str, **what: Any) -> bytes:
        """Ask, and raise outside every handler: httpx's errors carry the request's headers."""
        self._wait_for_turn()
        fault, body = self._answer(method, path, what)
        if fault is not None:
            raise fault
        return body

    def _answer(
        self, method: str, path: str, what: Mapping[str, Any]
    ) -> tuple[FeedFault | None, bytes]:
        headers = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in self._headers.items()
        }
        try:
            with self._client.stream(method, path, headers=headers, **what) as response:
                body = self._body(response)
        except httpx.TimeoutException:
            return self._too_slow(), b""
        except httpx.ConnectError:
            return FeedFault("unreachable", f"{self.name} cannot be reached"), b""
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            kind = type(error).__name__
            return FeedFault("broken", f"{self.name} broke off the answer ({kind})"), b""
        if body is None:
            return self._too_slow(), b""
        if len(body) > LARGEST_BYTES:
            return FeedFault("broken", f"{self.name} sent over {LARGEST_BYTES:,} bytes"), b""
        return self._refusal(response, body), body

    def _body(self, response: httpx.Response) -> bytes | None:
        """Return the body, None where it takes too long; one too large is left unfinished."""
        ends, body = self._stopwatch() + self._timeout_s, bytearray()
        for part in response.iter_bytes():
            body += part
            if len(body) > LARGEST_BYTES:
                break
            if self._stopwatch() > ends:
                return None
        return bytes(body)

    def _too_slow(self) -> FeedFault:
        return FeedFault("timeout", f"{self.name} gave no answer within {self._timeout_s:g} s")

    def _refusal(self, response: httpx.Response, body: bytes) -> FeedFault | None:
        status = response.status_code
        if response.is_success:
            return None
        code = _ERROR_CODE.search(body[:4096])
        why = f" ({code[1].decode()})" if code else ""
        words = self.scrub(f"{self.name} answered {status}{why}")
        if status in UNAUTHORISED:
            return FeedFault("refused", f"{words}: it refuses the token or this client")
        if status == TOO_MANY:
            pause = self._pause(response.headers.get("retry-after", ""))
            return FeedFault("rate_limited", f"{words}: asked too often", pause)
        if status >= 500:
            return FeedFault("server", words, self._pause(response.headers.get("retry-after", "")))
        if response.is_redirect:
            return FeedFault("redirected", f"{words}: it points elsewhere, which is not followed")
        return FeedFault("refused", words)

    def _pause(self, said: str) -> float:
        """Return the seconds that ``Retry-After`` asks for, a number or a date."""
        if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", said):
            return min(float(said), LONGEST_PAUSE_S)
        try:
            until = parsedate_to_datetime(said)
        except (ValueError, TypeError):
            return 0.0
        moment = np.datetime64(int(until.timestamp() * 1e6), "us")
        return float(np.clip(seconds(moment - self._clock.now()), 0.0, LONGEST_PAUSE_S))

    def _wait_for_turn(self) -> None:
        now = self._clock.now()
        if self._asked_at is not None:
            left = self._pace_s - seconds(now - self._asked_at)
            if 0.0 < left <= self._pace_s:  # a clock set back makes nobody wait for hours
                self._clock.sleep(left)
        self._asked_at = self._clock.now()
