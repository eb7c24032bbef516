from collections.abc import Iterator

import grpc
import pytest

from .backend import Running


@pytest.fixture
def running() -> Iterator[Running]:
    with Running() as server:
        yield server


@pytest.fixture
def channel(running: Running) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(running.target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield channel
