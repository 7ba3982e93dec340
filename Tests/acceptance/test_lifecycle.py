"""`clusterctl up` comes and goes without a trace."""

import json
import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from support import checkpoints
from support.processes import executable, run, wait_until
from support.streams import Stream

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])


@SIGNALS
@pytest.mark.parametrize("workers", [0, 3])
def test_signal_stops_everything(start_cluster, number, workers):
    cluster = start_cluster(workers=workers)
    assert len(cluster.process.living()) >= 1 and cluster.process.ports()
    assert cluster.stop(number) == 0, cluster.process.transcript()


@SIGNALS
def test_signal_while_answers_are_under_way(start_cluster, long_model, number):
    cluster = start_cluster(model=long_model, workers=2)
    streams = [Stream(cluster.url, {"prompt": "a", "max_tokens": 16000, "ignore_eos": True}) for _ in range(4)]
    for stream in streams:
        stream.wait_for_first_event()
    assert cluster.stop(number) == 0, cluster.process.transcript()
    for stream in streams:
        stream.wait_for_end(5)


@SIGNALS
def test_signal_while_starting(start_cluster, number):
    cluster = start_cluster(workers=5, ready=False)
    wait_until(lambda: len(cluster.process.living()) > 1 or cluster.process.output, 20, "nothing happens")
    cluster.process.signal(number)
    assert cluster.process.wait(20) in (0, 1), cluster.process.transcript()
    wait_until(lambda: not cluster.process.living(), 2, "processes are left")


def test_loopback_only_and_one_line_says_where(start_cluster):
    cluster = start_cluster(workers=2)
    assert {host for host, _ in cluster.process.ports()} == {"127.0.0.1"}
    assert [line for line in cluster.process.output if line.startswith("ready ")] == [f"ready {cluster.url}"]
    assert httpx.get(cluster.url + "/live", trust_env=False).status_code == 200


def test_pids_are_written_down(start_cluster):
    cluster = start_cluster(workers=2)
    pids = cluster.pids()
    assert set(pids) >= {"coordinator", "gateway", "worker-1", "worker-2"}
    assert set(pids.values()) <= set(cluster.process.living())


def test_state_directory_can_be_used_again(start_cluster, tmp_path):
    first = start_cluster(workers=1)
    assert first.stop() == 0
    # The second cluster of this test takes the place of the first.
    second = start_cluster(workers=2, options=["--state", str(first.state)])
    second.state = first.state
    assert len([node for node in second.status()["nodes"] if node["role"] == "worker"]) == 2
    assert second.stop() == 0


def test_private_keys_are_private(start_cluster):
    cluster = start_cluster(workers=1)
    keys = list(cluster.state.rglob("*.key"))
    assert keys and all(key.stat().st_mode & 0o077 == 0 for key in keys)


def test_worker_holds_only_its_share(start_cluster):
    """One copy of the weights in the whole cluster: a worker's memory is its shards and a fixed cost."""
    cluster = start_cluster(workers=3)
    for name, pid in cluster.pids().items():
        if name.startswith("worker"):
            resident_kib = int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])
            assert resident_kib * 1024 <= cluster.node(name)["shardBytes"] + 200_000_000


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_leave_no_processor_idle(start_cluster, workers):
    """Either each worker has processors of its own, a tenth unused at most, or all share all of them."""
    cluster = start_cluster(workers=workers)
    threads = [node["threadCount"] for node in cluster.status()["nodes"] if node["role"] == "worker"]
    processors = len(os.sched_getaffinity(0))
    assert len(set(threads)) == 1 and 0.9 * processors <= sum(threads)
    assert sum(threads) <= processors or threads[0] == processors


def test_status_for_people_and_programs(cluster):
    table = run([executable("clusterctl"), "status", "--state", str(cluster.state)])
    assert table.returncode == 0
    for name in ("coordinator", "worker-1", "worker-2", "worker-3", "gateway", checkpoints.DEFAULT.name):
        assert name in table.stdout
    document = run([executable("clusterctl"), "status", "--state", str(cluster.state), "--json"])
    assert document.returncode == 0 and json.loads(document.stdout)["isReady"] is True


def test_generate_prints_the_text(cluster):
    command = [executable("clusterctl"), "generate", "the tokens", "--url", cluster.url]
    by_url = run(command)
    assert by_url.returncode == 0 and by_url.stdout.strip(), by_url.stderr
    by_state = run([executable("clusterctl"), "generate", "the tokens", "--state", str(cluster.state)])
    assert by_state.returncode == 0 and by_state.stdout.strip(), by_state.stderr


@pytest.mark.parametrize("command", [["status", "--state"], ["generate", "a", "--state"]], ids=["status", "generate"])
def test_nothing_to_reach_is_exit_code_3(tmp_path, command):
    started = time.monotonic()
    result = run([executable("clusterctl"), *command, str(tmp_path / "none")])
    assert result.returncode == 3, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1 and "none" in result.stderr
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("name", ["coordinator", "worker", "gateway", "clusterctl", "clusterbench"])
def test_help(name):
    result = run([executable(name), "--help"])
    assert result.returncode == 0 and "USAGE:" in result.stdout
    assert run([executable(name), "--no-such-option"]).returncode == 2


def test_tokenize_and_back():
    command = [executable("clusterctl"), "tokenize", "--model", str(checkpoints.DEFAULT)]
    text = "count the tokens: 12 naïve 🙂\n  <|im_end|> ok"
    tokens = json.loads(run(command, text=text).stdout)
    assert tokens and all(isinstance(token, int) for token in tokens) and 1 in tokens
    decoded = run([*command, "--decode"], text=json.dumps(tokens))
    assert decoded.returncode == 0 and decoded.stdout.removesuffix("\n") == text.removesuffix("\n")


def test_template():
    command = [executable("clusterctl"), "template", "--model", str(checkpoints.DEFAULT)]
    document = {"messages": [{"role": "user", "content": "a"}], "add_generation_prompt": True}
    result = run(command, text=json.dumps(document))
    assert result.returncode == 0
    assert result.stdout == "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n"
