"""Has imported what a program stands on, and forks: ``python -m`` this, with the program's module and a socket.

A process that comes of it is the program as ``python -m`` runs it, but for the second or two of CPU that imports
take: it has its own environment, output, signals and exit. Nothing of the program itself has run before the fork.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
from contextlib import suppress


def main(module: str, channel: socket.socket) -> None:
    """Serve the channel until its other end is closed; in a forked process, run the program and return."""
    importlib.import_module(module)
    del sys.modules[module]  # it runs anew, as ``__main__``
    assert threading.active_count() == 1, "a lock that another thread holds would never open after a fork"
    gc.freeze()  # or each process would copy all of it when it collects for the first time
    if _is_forked(channel):
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def _is_forked(channel: socket.socket) -> bool:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    with suppress(KeyboardInterrupt):
        while True:
            message, handed, _, _ = socket.recv_fds(channel, 1, 2)
            if not message:
                return False
            if os.fork() == 0:
                break
            for descriptor in handed:
                os.close(descriptor)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    channel.close()
    output, reply = handed
    return _keep(output, socket.socket(fileno=reply))


def _keep(output: int, reply: socket.socket) -> bool:
    """Fork again, and tell the number of the new process, and how it ended."""
    with reply.makefile("r") as lines:
        environment: dict[str, str] = json.loads(lines.readline())
    pid = os.fork()
    if pid == 0:
        reply.close()
        _take_on(environment, output)
        return True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the program ends by it, and then this
    os.close(output)
    reply.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    with suppress(OSError):  # whoever asked may be gone
        reply.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _take_on(environment: dict[str, str], output: int) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)


if __name__ == "__main__":
    _module, _channel = sys.argv[1], socket.socket(fileno=int(sys.argv[2]))
    sys.argv[1:] = []
    main(_module, _channel)
