"""The NSE website's option chain, v3: stamped by the exchange, for whoever has its cookies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from optiq.errors import InputError
from optiq.market.feeds.answers import document, listed_days
from optiq.market.feeds.clocks import Clock
from optiq.market.feeds.web import Web
from optiq.market.ingest.batch import Batch, ReadOptions
from optiq.market.ingest.documents import json_record
from optiq.market.ingest.nse import batches
from optiq.market.ingest.numbers import MONTHS

NAME = "nse"
BASE_URL = "https://www.nseindia.com"
VARIABLES: tuple[str, ...] = ()
PACE_S = 3.0
"""The site publishes no limit; its pages are renewed once a minute or so."""
HOME = "/option-chain"
LISTED = ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY")
_BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/json;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.7",
}


class Nse:
    """The NSE website as a `Source`; it needs no token, only its own cookies."""

    name = NAME

    def __init__(
        self, underlying: str, clock: Clock, *, base_url: str | None = None, timeout_s: float = 10.0
    ) -> None:
        if underlying not in LISTED:
            raise InputError(f"NSE lists no {underlying}", f"it lists {', '.join(LISTED)}")
        self._underlying = underlying
        url = base_url or BASE_URL
        headers = {**_BROWSER, "Referer": f"{url}{HOME}"}
        self._web = Web(NAME, url, headers, pace_s=PACE_S, timeout_s=timeout_s, clock=clock)
        self._is_known = False

    def expiries(self) -> list[dt.date]:
        """Return the expiries it lists."""
        body = self._get("/api/option-chain-contract-info", {"symbol": self._underlying})
        return listed_days(json_record(document(NAME, body)).get("expiryDates"), NAME)

    def chain(self, expiry: dt.date) -> Iterator[Batch]:
        """Yield one expiry's quotes under the exchange's stamp."""
        day = f"{expiry.day:02d}-{MONTHS[expiry.month - 1].title()}-{expiry.year}"
        asked = {"type": "Indices", "symbol": self._underlying, "expiry": day}
        return batches(document(NAME, self._get("/api/option-chain-v3", asked)), ReadOptions())

    def scrub(self, text: str) -> str:
        """Return the text: there is no token."""
        return text

    def distrust(self) -> None:
        """Come back as a new visitor: a refusal or ``{}`` mostly means stale cookies."""
        self._web.forget_cookies()
        self._is_known = False

    def close(self) -> None:
        """Let go of the connection."""
        self._web.close()

    def _get(self, path: str, asked: dict[str, str]) -> bytes:
        if not self._is_known:
            self._web.get(HOME)
            self._is_known = True
        return self._web.get(path, asked)
