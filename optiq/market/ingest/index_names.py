"""What vendors call the indices."""

from __future__ import annotations

import re

from optiq.market.schema import UNDERLYINGS

_OTHER_NAMES = {
    "NIFTY50": "NIFTY",
    "NIFTYBANK": "BANKNIFTY",
    "NIFTYFINSERVICE": "FINNIFTY",
    "NIFTYFINANCIALSERVICES": "FINNIFTY",
    "NIFTYMIDSELECT": "MIDCPNIFTY",
    "MIDCAPNIFTY": "MIDCPNIFTY",
    "NIFTYMIDCAPSELECT": "MIDCPNIFTY",
    "BSESENSEX": "SENSEX",
    "BSEBANKEX": "BANKEX",
}


def index_name(name: object) -> str:
    """Return our name of an index, whatever exchange stands before it, or the name as it came.

    >>> index_name("Nifty 50"), index_name("NSE_INDEX|Nifty Bank"), index_name("NSE:RELIANCE")
    ('NIFTY', 'BANKNIFTY', 'NSE:RELIANCE')
    """
    bare = re.sub(r"^.*[|:]|[^A-Z0-9]", "", str(name).upper())
    return bare if bare in UNDERLYINGS else _OTHER_NAMES.get(bare, str(name))
