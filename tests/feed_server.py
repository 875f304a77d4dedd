"""A local server that speaks like each vendor, and misbehaves when told to."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import numpy as np

from optiq.market.feeds.chain_feed import ChainFeed
from optiq.market.feeds.clocks import Clock, span
from optiq.market.feeds.live import NAMES, open_feed
from optiq.market.panel import Panel

LOT = 65
OPEN = np.datetime64("2026-08-18T03:45:00", "us")
CLOSE = np.datetime64("2026-08-18T10:10:00", "us")
EXPIRIES = (dt.date(2026, 8, 18), dt.date(2026, 8, 25), dt.date(2026, 9, 1))
KEYS = {"NIFTY": "NSE_INDEX|Nifty 50", "BANKNIFTY": "NSE_INDEX|Nifty Bank"}


class FakeClock:
    """A clock that moves when somebody sleeps."""

    def __init__(self, at: np.datetime64 = OPEN) -> None:
        self.at = at
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at = self.at + span(seconds)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.at, self.sleep)


class Quote(NamedTuple):
    """One option now: rupees and units; None is not quoted."""

    strike: float
    right: int
    ltp: float | None
    bid: float | None
    ask: float | None
    volume: float
    oi: float
    previous_oi: float


Market = Callable[[np.datetime64, dt.date], tuple[float, list[Quote]]]


def plain_market(now: np.datetime64, expiry: dt.date) -> tuple[float, list[Quote]]:
    """A level that rises a rupee a minute, and 31 strikes around it whose parity holds."""
    minutes = float((now - OPEN) / np.timedelta64(1, "m"))
    spot = 26_000.0 + round(minutes, 2)
    days = max((expiry - EXPIRIES[0]).days, 0) + 1
    quotes = []
    for strike in range(25_250, 26_800, 50):
        extra = 100.0 * days**0.5 * float(np.exp(-(((strike - spot) / 400.0) ** 2)))
        for right in (1, -1):
            price = round((max(right * (spot - strike), 0.0) + extra + 1.0) / 0.05) * 0.05
            volume = LOT * (1_000 + int(10 * minutes) + strike % 7)
            side = Quote(strike, right, price, price - 0.05, price + 0.05, volume, 20 * LOT, LOT)
            quotes.append(side)
    return spot, quotes


def panel_market(panel: Panel) -> Market:
    """A recorded or simulated day: at any moment its latest row."""

    def at(now: np.datetime64, expiry: dt.date) -> tuple[float, list[Quote]]:
        row = max(int(np.searchsorted(panel.ts, now, "right")) - 1, 0)
        chosen = np.flatnonzero(panel.expiry == np.datetime64(expiry))
        cells = [np.nan_to_num(panel.fields[n][row, chosen]) for n in ("ltp", "bid", "ask")]
        volume = np.nan_to_num(panel.volume[row, chosen])
        oi, change = (np.nan_to_num(panel.fields[n][row, chosen]) for n in ("oi", "oi_change"))
        columns = (panel.strike[chosen], panel.right[chosen], *cells, volume, oi, oi - change)
        return float(panel.spot[row]), [
            Quote(*numbers) for numbers in zip(*(c.tolist() for c in columns), strict=True)
        ]

    return at


def upstox_page(key: str, expiry: dt.date, spot: float, quotes: list[Quote]) -> dict[str, Any]:
    rows: dict[float, dict[str, Any]] = {}
    for quote in quotes:
        row = rows.setdefault(
            quote.strike,
            {
                "expiry": str(expiry),
                "pcr": 1.2,
                "strike_price": quote.strike,
                "underlying_key": key,
                "underlying_spot_price": spot,
            },
        )
        row["call_options" if quote.right > 0 else "put_options"] = {
            "instrument_key": "NSE_FO|1",
            "market_data": {
                "ltp": quote.ltp or 0,
                "volume": quote.volume,
                "oi": quote.oi,
                "close_price": 1,
                "bid_price": quote.bid or 0,
                "bid_qty": LOT,
                "ask_price": quote.ask or 0,
                "ask_qty": 2 * LOT,
                "prev_oi": quote.previous_oi,
            },
            "option_greeks": {"vega": 9.0, "theta": -9.0, "gamma": 0.9, "delta": 0.9, "iv": 99.0},
        }
    return {"status": "success", "data": list(rows.values())}


def dhan_page(spot: float, quotes: list[Quote]) -> dict[str, Any]:
    strikes: dict[str, dict[str, Any]] = {}
    for quote in quotes:
        strikes.setdefault(f"{quote.strike:.6f}", {})["ce" if quote.right > 0 else "pe"] = {
            "greeks": {"delta": 0.9, "theta": -9.0, "gamma": 0.9, "vega": 9.0},
            "implied_volatility": 99.0,
            "last_price": quote.ltp or 0,
            "oi": quote.oi,
            "previous_oi": quote.previous_oi,
            "top_ask_price": quote.ask or 0,
            "top_ask_quantity": 2 * LOT,
            "top_bid_price": quote.bid or 0,
            "top_bid_quantity": LOT,
            "volume": quote.volume,
        }
    return {"data": {"last_price": spot, "oc": strikes}, "status": "success"}


def nse_page(
    symbol: str, stamp: np.datetime64, expiry: dt.date, spot: float, quotes: list[Quote]
) -> dict[str, Any]:
    rows: dict[float, dict[str, Any]] = {}
    day = expiry.strftime("%d-%b-%Y")
    for quote in quotes:
        row = rows.setdefault(quote.strike, {"strikePrice": quote.strike, "expiryDates": day})
        row["CE" if quote.right > 0 else "PE"] = {
            "strikePrice": quote.strike,
            "expiryDate": day,
            "underlying": symbol,
            "openInterest": quote.oi / LOT,
            "changeinOpenInterest": (quote.oi - quote.previous_oi) / LOT,
            "totalTradedVolume": quote.volume / LOT,
            "impliedVolatility": 99.0,
            "lastPrice": quote.ltp or 0,
            "buyPrice1": quote.bid or 0,
            "buyQuantity1": LOT,
            "sellPrice1": quote.ask or 0,
            "sellQuantity1": 2 * LOT,
            "underlyingValue": spot,
        }
    local = (stamp + np.timedelta64(330, "m")).astype("datetime64[s]").item()
    head = {"timestamp": local.strftime("%d-%b-%Y %H:%M:%S"), "underlyingValue": spot}
    return {"records": {**head, "data": list(rows.values())}, "filtered": {"data": []}}


@dataclass
class Vendor:
    """What the server says, and how badly it behaves at the moment.

    ``trouble`` is one of ``slow drip cut 401 403 429 500 302 empty {} html nan symbol old future
    half expiry`` or ``""``; ``pages`` replaces whole chains by bytes of a test's own.
    """

    now: Callable[[], np.datetime64]
    market: Market = plain_market
    underlying: str = "NIFTY"
    expiries: tuple[dt.date, ...] = EXPIRIES
    trouble: str = ""
    slow_s: float = 0.6
    echo: str = ""
    pages: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[np.datetime64, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def chain(self, vendor: str, expiry: dt.date) -> bytes:
        """One page of a chain, as bad as asked for where badness is in the numbers."""
        if vendor in self.pages:
            return self.pages[vendor]
        moment = self.now()
        frozen = self.trouble == "old" and vendor != "nse"
        spot, quotes = self.market(OPEN if frozen else moment, expiry)
        if self.trouble == "half":
            quotes = quotes[: len(quotes) // 2]
        symbol = self.underlying
        if self.trouble == "symbol":
            symbol, spot = "BANKNIFTY", 2.0 * spot
        if self.trouble == "expiry":
            expiry += dt.timedelta(days=7)
        if vendor == "upstox":
            return json.dumps(upstox_page(KEYS[symbol], expiry, spot, quotes)).encode()
        if vendor == "dhan":
            return json.dumps(dhan_page(spot, quotes)).encode()
        shift = {"old": -600, "future": 600}.get(self.trouble, 0)
        stamp = moment + np.timedelta64(shift, "s")
        return json.dumps(nse_page(symbol, stamp, expiry, spot, quotes)).encode()


class _Handler(BaseHTTPRequestHandler):
    """Answers as the vendor that the path belongs to."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement
    vendor: Vendor

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._answer(parts.path, asked)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(self.path, json.loads(body))

    def _answer(self, path: str, asked: dict[str, Any]) -> None:
        vendor = self.vendor
        vendor.asked.append((vendor.now(), path))
        vendor.headers.append(dict(self.headers.items()))
        listed = [str(day) for day in vendor.expiries]
        if path == "/option-chain":
            self._send(200, b"<html>", {"Set-Cookie": "nsit=visitor; Path=/"})
        elif path.startswith("/api/") and "nsit=" not in self.headers.get("Cookie", ""):
            self._send(200, b"{}")
        elif path == "/v2/option/contract":
            self._send_json({"data": [{"expiry": day} for day in (*listed, *listed)]})
        elif path == "/v2/optionchain/expirylist":
            self._send_json({"data": listed})
        elif path == "/api/option-chain-contract-info":
            self._send_json({"expiryDates": [d.strftime("%d-%b-%Y") for d in vendor.expiries]})
        elif path == "/v2/option/chain":
            self._misbehave("upstox", dt.date.fromisoformat(asked["expiry_date"]))
        elif path == "/v2/optionchain":
            self._misbehave("dhan", dt.date.fromisoformat(asked["Expiry"]))
        else:
            day = dt.datetime.strptime(asked["expiry"], "%d-%b-%Y").replace(tzinfo=dt.UTC)
            self._misbehave("nse", day.date())

    def _misbehave(self, name: str, expiry: dt.date) -> None:
        trouble, body = self.vendor.trouble, self.vendor.chain(name, expiry)
        if trouble == "slow":
            time.sleep(self.vendor.slow_s)
            self.close_connection = True
        elif trouble == "drip":
            self._drip()
        elif trouble == "cut":
            self._send(200, body[: len(body) // 2], {"Content-Length": str(len(body))})
            self.close_connection = True
        elif trouble.isdigit():
            told = {"errorCode": "UDAPI100050", "message": f"bad token {self.vendor.echo}"}
            more = {"429": {"Retry-After": "7"}, "302": {"Location": "http://example.invalid/"}}
            self._send(int(trouble), json.dumps(told).encode(), more.get(trouble, {}))
        else:
            bodies = {"empty": b"", "{}": b"{}", "html": b"<html>blocked", "nan": b'{"data": NaN}'}
            if trouble == "echo":
                body = f"<html>{self.vendor.echo}".encode()
            self._send(200, bodies.get(trouble, body))

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        for _ in range(20):
            try:
                self.wfile.write(b" ")
                self.wfile.flush()
            except OSError:
                return
            time.sleep(0.05)

    def _send_json(self, told: dict[str, Any]) -> None:
        self._send(200, json.dumps(told).encode())

    def _send(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    """Threads of a test end with it, and a client that went away is nobody's error."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(vendor: Vendor) -> Iterator[Vendor]:
    """Serve a vendor on this machine while the block runs."""
    handler = type("Handler", (_Handler,), {"vendor": vendor})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        vendor.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield vendor
        finally:
            server.shutdown()
            thread.join()


ENVIRON = {
    "UPSTOX_ACCESS_TOKEN": "upstox-token",
    "DHAN_ACCESS_TOKEN": "dhan-token",
    "DHAN_CLIENT_ID": "1000000001",
}
KINDS = {
    "slow": "timeout",
    "drip": "timeout",
    "cut": "broken",
    "401": "refused",
    "403": "refused",
    "404": "refused",
    "429": "rate_limited",
    "500": "server",
    "302": "redirected",
    "empty": "broken",
    "{}": "broken",
    "html": "broken",
    "nan": "broken",
    "symbol": "wrong_underlying",
    "old": "stale",
    "future": "skewed",
    "half": "partial",
    "expiry": "broken",
}
UNTOLD = {("upstox", "future"), ("dhan", "future"), ("dhan", "expiry")}
"""These vendors stamp nothing, and Dhan names no expiry."""
CASES = [(name, trouble) for name in NAMES for trouble in KINDS if (name, trouble) not in UNTOLD]


@contextmanager
def fed(name: str, clock: FakeClock, vendor: Vendor, **checks: object) -> Iterator[ChainFeed]:
    """A feed of a served vendor; it does not wait long for an answer."""
    feed = open_feed(
        name,
        vendor.underlying,
        clock.clock,
        environ=ENVIRON,
        base_url=vendor.url,
        timeout_s=0.25,
        **checks,
    )
    try:
        yield feed
    finally:
        feed.close()
