"""The search for a broker that is there already and lets us in."""

import asyncio
import os
import socket
import sys
from urllib.parse import urlsplit

import aio_pika
from aio_pika.exceptions import AMQPError

from local.environment import read_environment
from local.processes.ports import claim_name
from services.runtime.process.settings import CommonSettings

USUAL_URL = str(CommonSettings.model_fields["rabbitmq_url"].default)
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = b"\x01"


def speaks_amqp(host: str, port: int, within: float = 1.0) -> bool:
    """Return whether an AMQP 0.9.1 broker answers there."""
    try:
        with socket.create_connection((host, port), timeout=within) as connection:
            connection.settimeout(within)
            connection.sendall(PROTOCOL_HEADER)
            return connection.recv(1) == METHOD_FRAME
    except OSError:
        return False


def accepts_login(url: str, within: float = 5.0) -> bool:
    """Return whether the broker at ``url`` lets us in."""

    async def log_in() -> bool:
        try:
            connection = await aio_pika.connect(url, timeout=within)
        except (AMQPError, OSError, TimeoutError):
            return False
        await connection.close()
        return True

    return asyncio.run(log_in())


def usual_broker() -> str | None:
    """Return the URL of a broker on this machine's usual port that takes the usual user, if there is one.

    One copy of the system may use it: two with databases of their own would take each other's commands.
    """
    address = urlsplit(USUAL_URL)
    is_there = speaks_amqp(address.hostname or "localhost", address.port or 5672) and accepts_login(USUAL_URL)
    return USUAL_URL if is_there and claim_name("usual-broker") else None


def main() -> int:
    """Return an exit status: 0 if a broker is there or named by RABBITMQ_URL, 1 if none is."""
    read_environment()
    return 0 if os.environ.get("RABBITMQ_URL") or usual_broker() else 1


if __name__ == "__main__":
    sys.exit(main())
