"""The gateway as curl sees it: HTTP/1.1, HTTP/2 with prior knowledge, and clients that misbehave."""

import json
import re
import socket
import time

import pytest

from support import checkpoints
from support.processes import run, wait_until

VERSIONS = {"1.1": "--http1.1", "2": "--http2-prior-knowledge"}


def curl(url: str, version: str, *options: str) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers of one request."""
    command = ["curl", "--silent", "--show-error", "--max-time", "30", "--include", VERSIONS[version]]
    result = run([*command, *options, url])
    assert result.returncode == 0, f"curl ended with {result.returncode}: {result.stderr}"
    head, body = result.stdout.replace("\r\n", "\n").split("\n\n", 1)
    first, *lines = head.split("\n")
    assert first.startswith(f"HTTP/{version} "), first
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    return int(first.split()[1]), body, headers


def post_options(body: str) -> list[str]:
    """What makes curl send a JSON body."""
    return ["--header", "content-type: application/json", "--data-binary", body]


def assert_error(status: int, body: str, expected: int, code: str | None = None) -> dict:
    """An OpenAI error object with the status."""
    assert status == expected, body
    error = json.loads(body)["error"]
    assert set(error) >= {"message", "type", "param", "code"} and error["message"]
    if code:
        assert error["code"] == code
    return error


@pytest.mark.parametrize("version", VERSIONS)
def test_live_and_health(cluster, version):
    for path in ("/live", "/health"):
        status, body, headers = curl(cluster.url + path, version)
        assert status == 200 and json.loads(body)["status"] == "ok"
        assert headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("version", VERSIONS)
def test_models(cluster, version):
    status, body, _ = curl(cluster.url + "/v1/models", version)
    assert status == 200
    models = json.loads(body)
    assert models["object"] == "list" and [model["id"] for model in models["data"]] == [checkpoints.DEFAULT.name]


@pytest.mark.parametrize("version", VERSIONS)
def test_cluster_names_every_node(cluster, version):
    status, body, _ = curl(cluster.url + "/cluster", version)
    document = json.loads(body)
    assert status == 200 and document["isReady"] is True and document["model"]["name"] == checkpoints.DEFAULT.name
    nodes = {node["name"]: node for node in document["nodes"]}
    assert {node["role"] for node in nodes.values()} == {"coordinator", "worker", "gateway"}
    workers = [node for node in nodes.values() if node["role"] == "worker"]
    assert len(workers) == 3
    for worker in workers:
        assert worker["state"] == "ready" and worker["shardCount"] > 0 and worker["shardBytes"] > 0
        assert worker["loadedBytes"] == worker["shardBytes"] <= worker["memoryBudgetBytes"]
    # One copy of the weights in the whole cluster.
    assert sum(node["shardBytes"] for node in nodes.values()) <= document["model"]["weightBytes"] * 1.05
    printed = cluster.status()
    assert set(document) == set(printed), "clusterctl prints the same document"
    found, shown = ([(node["name"], node["address"]) for node in one["nodes"]] for one in (document, printed))
    assert found == shown, "with the same nodes"


@pytest.mark.parametrize("version", VERSIONS)
def test_metrics_are_prometheus_text(cluster, version):
    status, body, headers = curl(cluster.url + "/metrics", version)
    assert status == 200 and headers["content-type"].startswith("text/plain")
    samples = [line for line in body.splitlines() if line and not line.startswith("#")]
    assert samples
    pattern = re.compile(r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [-+0-9.eEnaifNI]+$')
    assert [line for line in samples if not pattern.match(line)] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_server_sent_events(cluster, version):
    body = json.dumps({"model": "default", "prompt": "a", "max_tokens": 5, "stream": True, "ignore_eos": True})
    status, text, headers = curl(cluster.url + "/v1/completions", version, "--no-buffer", *post_options(body))
    assert status == 200 and headers["content-type"].startswith("text/event-stream")
    events = [event for event in text.split("\n\n") if event.strip()]
    assert all(event.startswith(("data: ", ":")) for event in events) and events[-1] == "data: [DONE]"
    choices = [choice for event in events[:-1] for choice in json.loads(event[6:])["choices"]]
    assert choices[-1]["finish_reason"] == "length"


BAD_BODIES = [b"", b"{", b'{"prompt": "a"', b"[]", b'{"prompt": "a"} b', b"\0", b'{"prompt": "\xff"}', b"[" * 100_000]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_malformed_json(cluster, tmp_path, version, body):
    (tmp_path / "body").write_bytes(body)
    status, text, _ = curl(cluster.url + "/v1/completions", version, *post_options(f"@{tmp_path / 'body'}"))
    assert assert_error(status, text, 400)["type"] == "invalid_request_error"


@pytest.mark.parametrize("version", VERSIONS)
def test_unknown_path_and_wrong_method(cluster, version):
    status, body, _ = curl(cluster.url + "/v1/nothing", version)
    assert_error(status, body, 404)
    status, body, headers = curl(cluster.url + "/v1/completions", version)
    assert_error(status, body, 405)
    assert headers["allow"] == "POST"


@pytest.mark.parametrize("version", VERSIONS)
def test_unknown_model(cluster, version):
    body = json.dumps({"model": "none", "prompt": "a"})
    status, text, _ = curl(cluster.url + "/v1/completions", version, *post_options(body))
    assert_error(status, text, 404, "model_not_found")


def test_both_versions_answer_alike(cluster):
    body = json.dumps({"model": "default", "prompt": "the", "max_tokens": 8, "temperature": 0, "logprobs": 2})
    answers = [curl(cluster.url + "/v1/completions", version, *post_options(body))[1] for version in VERSIONS]
    first, second = (json.loads(answer)["choices"] for answer in answers)
    assert first == second


def address(cluster) -> tuple[str, int]:
    """Where the gateway listens."""
    host, port = cluster.url.removeprefix("http://").split(":")
    return host, int(port)


def test_half_sent_requests_hurt_nobody(cluster):
    halves = [b"POST /v1/compl", b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{\"mod", b""]
    opened = [socket.create_connection(address(cluster)) for _ in range(30)]
    try:
        for number, connection in enumerate(opened):
            connection.sendall(halves[number % len(halves)])
        started = time.monotonic()
        status, _, _ = curl(cluster.url + "/health", "1.1")
        assert status == 200 and time.monotonic() - started < 2
        # A request that does not get on is given up: answered with 408, or closed.
        slow = opened[0]
        slow.settimeout(30)
        answer = slow.recv(4096)
        assert answer == b"" or b" 408 " in answer.split(b"\r\n")[0], answer
    finally:
        for connection in opened:
            connection.close()
    assert curl(cluster.url + "/health", "1.1")[0] == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GET /live HTTP/9.9\r\nHost: a\r\n\r\n",
        b"GET /live HTTP/1.1\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: a\r\nName : value\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    ],
    ids=["version", "no-host", "two-hosts", "two-lengths", "negative", "blank", "tls", "long-path", "long-header"],
)
def test_bad_requests_are_refused(cluster, head):
    with socket.create_connection(address(cluster), timeout=20) as connection:
        try:
            connection.sendall(head)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
        except ConnectionError:
            answer = b""
    assert answer == b"" or re.match(rb"HTTP/1\.[01] (4\d\d|505) ", answer), answer
    assert curl(cluster.url + "/live", "1.1")[0] == 200


def test_many_streams_on_one_connection(cluster):
    result = run(["h2load", "-n", "2000", "-c", "2", "-m", "100", cluster.url + "/live"], 60)
    assert result.returncode == 0, result.stderr
    assert "2000 succeeded, 0 failed, 0 errored" in result.stdout, result.stdout


def test_metrics_count_requests(cluster):
    def count() -> int:
        _, body, _ = curl(cluster.url + "/metrics", "1.1")
        lines = [line for line in body.splitlines() if not line.startswith("#") and "/v1/models\"" in line]
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines)

    before = count()
    curl(cluster.url + "/v1/models", "2")
    wait_until(lambda: count() == before + 1, 5, "the request is not counted")
