"""Ports: free, taken, claimed."""

import socket
import subprocess
import sys
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
    claimer = "from local.processes.ports import claim_first; print(claim_first(20_200), flush=True); input()"
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
    claimer = (
        "from local.processes.ports import claim_name; print(claim_name('test-broker'), flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", claimer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    assert not ports.claim_name("test-broker")
    other.communicate("\n")
    assert ports.claim_name("test-broker")
    assert ports.claim_name("test-broker"), "it is ours already"
