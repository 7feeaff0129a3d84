"""What the three stand-ins share."""

import http.server
import os
import signal
import subprocess
import sys
import time
from types import FrameType

import psycopg


class Ready(http.server.BaseHTTPRequestHandler):
    """Answers 200 to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Nothing: the test reads the log."""


def serve(name: str, port: str) -> None:
    """Wait for the database, listen, and leave on SIGTERM, if asked to without a child that does not."""
    if os.environ.get("FAKE_WRONG_SETTING") == name:
        print("SOME_SETTING has a wrong value: it is wrong", flush=True)  # noqa: T201 - the test reads it
        sys.exit(2)
    await_database(os.environ["DATABASE_URL"])
    ignoring = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    if os.environ.get("FAKE_STUBBORN_CHILD"):
        subprocess.Popen([sys.executable, "-c", ignoring])
    server = http.server.HTTPServer(("127.0.0.1", int(os.environ[port])), Ready)
    signal.signal(signal.SIGTERM, leave)
    print(f"listening as {os.getpid()}", flush=True)  # noqa: T201 - the test reads it
    server.serve_forever()


def await_database(url: str) -> None:
    """Return when the database answers, as the services do."""
    while True:
        try:
            return psycopg.connect(url).close()
        except psycopg.OperationalError:
            time.sleep(0.05)


def leave(_number: int, _frame: FrameType | None) -> None:
    """Say so and go."""
    print("leaving in order", flush=True)  # noqa: T201 - the test reads it
    os._exit(0)
