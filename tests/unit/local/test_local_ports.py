"""Ports: free, taken, claimed."""

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

from local.failures import StartFailed
from local.processes import ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(autouse=True)
def _released() -> Iterator[None]:
    before = set(ports._claims)
    yield
    for port in set(ports._claims) - before:
        ports.release(port)


def test_a_taken_port_is_named_with_the_setting_that_chose_it(taken: int) -> None:
    with pytest.raises(
        StartFailed, match=rf"Port {taken} on 127\.0\.0\.1 is taken .* set PARSER_HEALTH_PORT"
    ):
        ports.claim_given(taken, "127.0.0.1", "PARSER_HEALTH_PORT")


def test_the_first_free_port_is_claimed_and_not_given_out_again() -> None:
    first = ports.claim_first(20_100)
    assert ports.claim_first(20_100) > first


def test_a_port_that_another_copy_claimed_is_passed_over() -> None:
    start = 20_200 + os.getpid() % 8_000  # a suite beside this one looks for its ports elsewhere
    claimer = (
        f"from local.processes.ports import claim_first; print(claim_first({start}), flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", claimer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    theirs = int(other.stdout.readline())
    assert not ports.claim(theirs)
    other.communicate("\n")
    assert ports.claim(theirs)


def test_port_0_is_any_free_port() -> None:
    assert ports.claim_given(0, "127.0.0.1", "PORT") >= 3000


def test_what_one_copy_may_use_is_not_given_to_another() -> None:
    # A name of its own: the machine's namespace is shared with any other suite that runs on it now.
    name = f"test-broker-{uuid.uuid4()}"
    claimer = (
        f"from local.processes.ports import claim_name; print(claim_name('{name}'), flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", claimer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    assert not ports.claim_name(name)
    other.communicate("\n")
    assert ports.claim_name(name)
    assert ports.claim_name(name), "it is ours already"
