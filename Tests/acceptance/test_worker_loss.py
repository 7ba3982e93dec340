"""A worker that dies or stands still: noticed at once, named, and nobody waits for ever."""

import os
import signal
import time

import httpx
import pytest

from support import checkpoints
from support.processes import wait_until
from support.streams import Stream

STREAM_COUNT = 8
# From the moment of the loss until every stream has ended with an error.
STREAM_END_SECONDS = 2.0
# From the moment of the loss until /health says so.
NOTICE_SECONDS = 1.5

LONG = {"max_tokens": 16000, "ignore_eos": True, "temperature": 0}


def start_streams(cluster) -> list[Stream]:
    """Eight answers that would take minutes, all of them begun."""
    prompts = [checkpoints.prompt_ids(3 + index) for index in range(STREAM_COUNT)]
    streams = [Stream(cluster.url, {**LONG, "prompt": prompt}) for prompt in prompts]
    for stream in streams:
        stream.wait_for_first_event()
    assert all(stream.ended_at is None for stream in streams), "an answer ended too early for this test"
    return streams


def assert_streams_end_with_errors(streams: list[Stream], lost_at: float) -> None:
    """Each stream ends in time, and with an error event: no bare end, no broken connection."""
    for stream in streams:
        stream.wait_for_end(max(0.0, lost_at + STREAM_END_SECONDS + 1 - time.monotonic()))
        assert stream.failure is None, f"the connection broke instead: {stream.failure!r}"
        assert stream.error, f"ended without an error: {stream.events[-1:]}"
        assert stream.error["message"] and stream.error["type"]
        assert stream.ended_at - lost_at <= STREAM_END_SECONDS, f"took {stream.ended_at - lost_at:.2f} s"


def assert_unhealthy(cluster, name: str, lost_at: float) -> None:
    """/health says 503 with a reason in time, status names the node, and new requests fail at once."""
    wait_until(lambda: cluster.health().status_code == 503, 10, "still healthy")
    assert time.monotonic() - lost_at <= NOTICE_SECONDS, f"noticed after {time.monotonic() - lost_at:.2f} s"
    assert name in cluster.health().json()["reason"]
    document = cluster.status()
    assert document["isReady"] is False and name in document["reason"]
    states = {node["name"]: node for node in document["nodes"]}
    assert states[name]["state"] in ("suspect", "dead", "connecting") and states[name]["reason"]
    others = [node for node in document["nodes"] if node["name"] != name]
    assert all(node["state"] == "ready" for node in others), "only one was lost"
    started = time.monotonic()
    body = {"model": "default", "prompt": "a", "max_tokens": 4}
    refused = httpx.post(f"{cluster.url}/v1/completions", json=body, timeout=10, trust_env=False)
    assert refused.status_code == 503 and refused.json()["error"]["message"]
    assert time.monotonic() - started < 2
    assert httpx.get(f"{cluster.url}/live", timeout=5, trust_env=False).status_code == 200


def test_killed_worker_during_streams(start_cluster, long_model):
    cluster = start_cluster(model=long_model, workers=3)
    streams = start_streams(cluster)
    os.kill(cluster.pids()["worker-2"], signal.SIGKILL)
    lost_at = time.monotonic()
    assert_unhealthy(cluster, "worker-2", lost_at)
    assert_streams_end_with_errors(streams, lost_at)
    assert cluster.stop() == 0, "an incomplete cluster stops as orderly as a whole one"


def test_stopped_worker_during_streams_and_its_return(start_cluster, long_model):
    cluster = start_cluster(model=long_model, workers=3)
    request = {**LONG, "prompt": checkpoints.prompt_ids(9), "max_tokens": 8, "logprobs": 3}
    before = cluster.complete(**request)["choices"]
    streams = start_streams(cluster)
    os.kill(cluster.pids()["worker-1"], signal.SIGSTOP)
    lost_at = time.monotonic()
    assert_unhealthy(cluster, "worker-1", lost_at)
    assert_streams_end_with_errors(streams, lost_at)
    os.kill(cluster.pids()["worker-1"], signal.SIGCONT)
    wait_until(lambda: cluster.health().status_code == 200, 10, "the worker is back, the cluster is not")
    assert cluster.node("worker-1")["state"] == "ready"
    assert cluster.complete(**request)["choices"] == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_idle_cluster_notices_too(start_cluster, number):
    cluster = start_cluster(workers=2)
    os.kill(cluster.pids()["worker-2"], number)
    assert_unhealthy(cluster, "worker-2", time.monotonic())


def test_whole_answer_fails_with_a_status(start_cluster, long_model):
    """A request that is not streamed has a status to fail with."""
    cluster = start_cluster(model=long_model, workers=2)
    stream = Stream(cluster.url, {**LONG, "prompt": "a"})
    stream.wait_for_first_event()
    with httpx.Client(base_url=cluster.url, timeout=20, trust_env=False) as client:
        os.kill(cluster.pids()["worker-1"], signal.SIGKILL)
        response = client.post("/v1/completions", json={"model": "default", **LONG, "prompt": "a"})
    assert response.status_code == 503 and response.json()["error"]["message"]
