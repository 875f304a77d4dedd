"""Upstox v2: a page an expiry, without a clock of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from optiq.market.feeds.answers import document, listed_days, on_arrival
from optiq.market.feeds.clocks import Clock
from optiq.market.feeds.secret import Secret
from optiq.market.feeds.web import Headers, Web
from optiq.market.ingest.batch import Batch
from optiq.market.ingest.documents import json_record
from optiq.market.ingest.upstox import batches

NAME = "upstox"
BASE_URL = "https://api.upstox.com"
VARIABLES = ("UPSTOX_ACCESS_TOKEN",)
PACE_S = 1.0
"""Of the limits told, 2,000 requests in 30 minutes is the tightest: 1.1 a second."""
INSTRUMENTS = {
    "NIFTY": "NSE_INDEX|Nifty 50",
    "BANKNIFTY": "NSE_INDEX|Nifty Bank",
    "FINNIFTY": "NSE_INDEX|Nifty Fin Service",
    "MIDCPNIFTY": "NSE_INDEX|NIFTY MID SELECT",
    "SENSEX": "BSE_INDEX|SENSEX",
    "BANKEX": "BSE_INDEX|BANKEX",
}


class Upstox:
    """Upstox as a `Source`."""

    name = NAME

    def __init__(
        self,
        underlying: str,
        token: Secret,
        clock: Clock,
        *,
        base_url: str | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._key, self._clock = {"instrument_key": INSTRUMENTS[underlying]}, clock
        headers: Headers = {"Authorization": token.after("Bearer "), "Accept": "application/json"}
        url = base_url or BASE_URL
        self._web = Web(NAME, url, headers, pace_s=PACE_S, timeout_s=timeout_s, clock=clock)

    def expiries(self) -> list[dt.date]:
        """Return the expiries of the contracts it lists."""
        answer = json_record(document(NAME, self._web.get("/v2/option/contract", self._key)))
        listed = answer.get("data")
        days = {one.get("expiry") for one in listed or () if isinstance(one, dict)}
        return listed_days(list(days) or None, NAME)

    def chain(self, expiry: dt.date) -> Iterator[Batch]:
        """Yield one expiry's quotes, stamped on arrival."""
        asked = {**self._key, "expiry_date": expiry.isoformat()}
        body = self._web.get("/v2/option/chain", asked)
        return batches(document(NAME, body), on_arrival(self._clock.now(), expiry))

    def scrub(self, text: str) -> str:
        """Return a text without the token."""
        return self._web.scrub(text)

    def distrust(self) -> None:
        """Do nothing: every request stands by itself."""

    def close(self) -> None:
        """Let go of the connection."""
        self._web.close()
