from collections.abc import Iterator

import grpc
import pytest

from .backend import TRANSPORTS, Running


@pytest.fixture(scope="session", params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """Tests that ask for it run on both transports of gRPC."""
    return str(request.param)


@pytest.fixture(scope="session")
def shared_running() -> Iterator[Running]:
    with Running() as server:
        yield server


@pytest.fixture
def running(shared_running: Running) -> Running:
    """A receiver with default settings; it must not be stopped."""
    shared_running.forget()
    return shared_running


@pytest.fixture
def channel(running: Running) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(running.target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield channel
