"""What a supervisor such as systemd is told, by the protocol of ``sd_notify(3)``."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Supervisor:
    """Whoever waits at ``NOTIFY_SOCKET``; without one nothing is sent.

    A supervisor that is gone or does not listen changes nothing for the session.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        if address.startswith("@"):  # a name in the abstract namespace
            address = "\0" + address[1:]
        self._address = address

    def tell(self, *assignments: str) -> bool:
        """Send assignments such as ``READY=1`` in one message; return whether it was taken."""
        if not self._address:
            return False
        message = "\n".join(assignments).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
            line.setblocking(False)
            try:
                return line.sendto(message, self._address) == len(message)
            except OSError:
                return False
