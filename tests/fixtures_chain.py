"""A real development node for tests, each in its own folder. A missing anvil fails the test."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from carnet.chain.anvil import AnvilNode
from carnet.chain.rpc import DEV_CHAIN_ID, RpcClient

CHAIN_START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.fixture
def anvil_node(tmp_path: Path) -> Iterator[AnvilNode]:
    node = AnvilNode(tmp_path / "chain")
    node.start(start_at=CHAIN_START, is_detached=True)
    yield node
    node.stop()


@pytest.fixture
def rpc(anvil_node: AnvilNode) -> Iterator[RpcClient]:
    status = anvil_node.status()
    assert status is not None
    with RpcClient(status.url, chain_id=DEV_CHAIN_ID) as client:
        yield client
