"""DhanHQ v2: a page an expiry, which names neither its index nor its expiry nor its time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from optiq.market.feeds.answers import document, listed_days, on_arrival
from optiq.market.feeds.clocks import Clock
from optiq.market.feeds.secret import Secret
from optiq.market.feeds.web import Headers, Web
from optiq.market.ingest.batch import Batch
from optiq.market.ingest.dhan import batches
from optiq.market.ingest.documents import json_record

NAME = "dhan"
BASE_URL = "https://api.dhan.co"
VARIABLES = ("DHAN_ACCESS_TOKEN", "DHAN_CLIENT_ID")
PACE_S = 3.0
"""One request of the option chain in three seconds."""
SECURITY_IDS = {
    "NIFTY": 13,
    "BANKNIFTY": 25,
    "FINNIFTY": 27,
    "MIDCPNIFTY": 442,
    "SENSEX": 51,
    "BANKEX": 69,
}


class Dhan:
    """DhanHQ as a `Source`."""

    name = NAME

    def __init__(
        self,
        underlying: str,
        token: Secret,
        client_id: Secret,
        clock: Clock,
        *,
        base_url: str | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._underlying, self._clock = underlying, clock
        self._asked = {"UnderlyingScrip": SECURITY_IDS[underlying], "UnderlyingSeg": "IDX_I"}
        headers: Headers = {
            "access-token": token,
            "client-id": client_id,
            "Accept": "application/json",
        }
        url = base_url or BASE_URL
        self._web = Web(NAME, url, headers, pace_s=PACE_S, timeout_s=timeout_s, clock=clock)

    def expiries(self) -> list[dt.date]:
        """Return the expiries it lists."""
        body = self._web.post("/v2/optionchain/expirylist", self._asked)
        return listed_days(json_record(document(NAME, body)).get("data"), NAME)

    def chain(self, expiry: dt.date) -> Iterator[Batch]:
        """Yield one expiry's quotes, stamped on arrival; whose they are is what was asked for."""
        body = self._web.post("/v2/optionchain", {**self._asked, "Expiry": expiry.isoformat()})
        known = on_arrival(self._clock.now(), expiry, self._underlying)
        return batches(document(NAME, body), known)

    def scrub(self, text: str) -> str:
        """Return a text without the token."""
        return self._web.scrub(text)

    def distrust(self) -> None:
        """Do nothing: every request stands by itself."""

    def close(self) -> None:
        """Let go of the connection."""
        self._web.close()
