"""Clusters as fixtures: one that tests share, and a way to start one's own."""

import pytest

from support import checkpoints
from support.cluster import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A cluster with three workers. Tests that share it leave it as it was."""
    shared = Cluster(checkpoints.DEFAULT, tmp_path_factory.mktemp("shared") / "state", workers=3)
    try:
        yield shared.wait_until_ready()
        assert shared.stop() == 0, shared.process.transcript()
    finally:
        shared.end()


@pytest.fixture
def start_cluster(tmp_path):
    """Starts clusters that end with the test: `start_cluster(workers=5)`."""
    started: list[Cluster] = []

    def start(model=checkpoints.DEFAULT, workers=3, options=None, ready=True) -> Cluster:
        new = Cluster(model, tmp_path / f"state-{len(started)}", workers, options)
        started.append(new)
        return new.wait_until_ready() if ready else new

    yield start
    for one in started:
        one.end()


@pytest.fixture
def long_model(tmp_path):
    """A model that can go on for minutes."""
    return checkpoints.with_long_context(tmp_path / "long")
