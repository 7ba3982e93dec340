"""Several hosts: programs that know each other only by the configuration file and by their certificates."""

import json
import signal

import httpx
import pytest
import yaml

from support import checkpoints
from support.hosts import OPERATOR, Hosts, certs, issue, make_authority
from support.processes import CRASH_WORDS, ROOT, executable, is_listening, run, wait_until

REQUEST = {
    "model": "default", "prompt": checkpoints.prompt_ids(21), "max_tokens": 16, "temperature": 0, "logprobs": 4,
    "echo": True, "ignore_eos": True,
}


@pytest.fixture
def hosts(tmp_path):
    """Four hosts, nothing started yet."""
    made = Hosts(tmp_path)
    yield made
    made.end()


def refusal(process, *words: str) -> None:
    """A line of the program's log has all the words."""

    def line():
        return [line for line in process.errors if all(word in line for word in words)]

    wait_until(line, 20, lambda: f"no line with {words}\n{process.transcript()}")
    assert not [word for word in CRASH_WORDS if word in "\n".join(process.errors)]


def test_several_hosts_generate_and_stop(hosts, start_cluster):
    hosts.start_all().wait_until_ready()
    reference = start_cluster(workers=0)
    with httpx.Client(timeout=30, trust_env=False) as client:
        here = client.post(f"{hosts.url}/v1/completions", json=REQUEST).json()["choices"]
        there = client.post(f"{reference.url}/v1/completions", json=REQUEST).json()["choices"]
    assert here == there, "the same bits as in one process"
    nodes = {node["name"]: node for node in httpx.get(f"{hosts.url}/cluster", trust_env=False).json()["nodes"]}
    assert set(nodes) == set(hosts.addresses)
    assert {name: node["address"] for name, node in nodes.items()} == hosts.addresses
    for name in ("worker-1", "gateway", "coordinator", "worker-2"):
        hosts.processes[name].signal(signal.SIGTERM)
        assert hosts.processes[name].wait(15) == 0, hosts.processes[name].transcript()
    for address in hosts.addresses.values():
        host, port = address.split(":")
        assert not is_listening(host, int(port)), f"{address} is still open"


def test_status_of_several_hosts(hosts):
    hosts.start_all().wait_until_ready()
    path = hosts.write_configuration(OPERATOR)
    result = run([executable("clusterctl"), "status", "--json", "--config", str(path)])
    assert result.returncode == 0, result.stderr
    assert {node["name"] for node in json.loads(result.stdout)["nodes"]} == set(hosts.addresses)


def test_worker_comes_back(hosts):
    """Each host is started by itself, so one of them may be started again."""
    hosts.start_all().wait_until_ready()
    hosts.processes["worker-1"].signal(signal.SIGKILL)
    wait_until(lambda: hosts.health_status() == 503, 5, "not noticed")
    hosts.start("worker-1").wait_for_line("listening ")
    hosts.wait_until_ready(20)
    assert httpx.post(f"{hosts.url}/v1/completions", json=REQUEST, timeout=30, trust_env=False).status_code == 200


def start_with_one_wrong_worker(hosts, changes: dict):
    """Starts all hosts, worker 2 with something wrong; gives back its process."""
    for name in ("gateway", "worker-1", "coordinator"):
        hosts.start(name)
    return hosts.start("worker-2", changes)


def assert_told(hosts, *words: str) -> None:
    """The cluster cannot generate, and says of worker 2 why; worker 1 is not blamed for it."""

    def is_told():
        reason = hosts.reason("worker-2") or ""
        return all(word in reason for word in words) and not hosts.reason("worker-1")

    wait_until(is_told, 15, lambda: f"{hosts.reason('worker-2')} / {hosts.reason('worker-1')}\n{hosts.transcript()}")
    health = httpx.get(f"{hosts.url}/health", trust_env=False)
    assert health.status_code == 503 and "worker-2" in health.json()["reason"]


def test_certificate_of_another_authority_is_refused(hosts):
    stranger = make_authority(hosts.directory / "stranger")
    directory = issue(stranger, "worker-2", "worker", hosts.directory / "foreign")
    process = start_with_one_wrong_worker(hosts, {"certificates": str(directory)})
    assert_told(hosts, "certificate")
    refusal(process, "127.0.0.", "unknown ca")


@pytest.mark.parametrize("role", ["gateway", "coordinator", "operator"])
def test_wrong_role_is_refused(hosts, role):
    """A program does not start with a certificate for another role: it would be refused by everybody."""
    directory = issue(hosts.authority, "worker-2", role, hosts.directory / "promoted")
    process = hosts.start("worker-2", {"certificates": str(directory)})
    assert process.wait(20) in (1, 2), process.transcript()
    refusal(process, "worker", role)


def test_wrong_name_is_refused(hosts):
    directory = issue(hosts.authority, "worker-9", "worker", hosts.directory / "renamed")
    process = hosts.start("worker-2", {"certificates": str(directory)})
    assert process.wait(20) in (1, 2), process.transcript()
    refusal(process, "worker-9")


def test_worker_in_the_place_of_another_is_refused(hosts):
    """Worker 1's certificate at worker 2's address: the coordinator notices whom it talks to."""
    hosts.addresses["worker-1"], hosts.addresses["worker-2"] = hosts.addresses["worker-2"], hosts.addresses["worker-1"]
    hosts.start("worker-1")
    hosts.addresses["worker-1"], hosts.addresses["worker-2"] = hosts.addresses["worker-2"], hosts.addresses["worker-1"]
    for name in ("gateway", "coordinator"):
        hosts.start(name)
    wait_until(lambda: "worker-1" in (hosts.reason("worker-2") or ""), 15, hosts.transcript)


def test_worker_may_not_pose_as_operator(hosts):
    """`clusterctl` with a worker's certificate is turned away: who may ask what is written in the certificate."""
    hosts.start_all().wait_until_ready()
    path = hosts.write_configuration(OPERATOR, {"certificates": str(hosts.directory / "worker-1")})
    result = run([executable("clusterctl"), "status", "--json", "--config", str(path)])
    assert result.returncode in (1, 3) and "role" in result.stderr.lower(), result.stderr


def test_workers_with_other_weights_are_refused(hosts, tmp_path):
    other = checkpoints.copy(tmp_path / "other", checkpoints.CHECKPOINTS / "qwen3_moe_f32")
    start_with_one_wrong_worker(hosts, {"model": str(other)})
    assert_told(hosts, "model", str(other))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"no_such_key": 1}, ["no_such_key"]),
        ({"coordinator": {"address": "nowhere"}}, ["coordinator.address"]),
        ({"workers": "three"}, ["workers"]),
        ({"gateway": {"queue_count": "many"}}, ["queue_count"]),
        ({"log": {"level": "loud"}}, ["log.level", "loud"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_config_error_names_key_and_line(hosts, changes, words):
    path = hosts.write_configuration("gateway", changes)
    result = run([executable("gateway"), "--config", str(path)])
    assert result.returncode == 2
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and all(word in lines[0] for word in words), result.stderr
    number = next(n for n, line in enumerate(path.read_text().splitlines(), 1) if words[0].split(".")[-1] in line)
    assert str(number) in lines[0], f"line {number}: {lines[0]}"


def test_config_that_is_missing_or_no_yaml(tmp_path):
    (tmp_path / "broken.yaml").write_text("model: [\n")
    for name in ("absent.yaml", "broken.yaml"):
        result = run([executable("coordinator"), "--config", str(tmp_path / name)])
        assert result.returncode == 2 and name in result.stderr


def test_certificates_are_shown(hosts):
    text = certs("show", str(hosts.directory / "worker-1"))
    assert "worker-1" in text and "role" in text.lower()
    key = hosts.directory / "worker-1" / "node.key"
    assert key.stat().st_mode & 0o077 == 0


def test_authority_is_not_overwritten(hosts):
    before = (hosts.authority / "ca.key").read_bytes()
    result = run([executable("clusterctl"), "certs", "init", "--directory", str(hosts.authority)])
    assert result.returncode == 1 and "ca.pem" in result.stderr
    assert (hosts.authority / "ca.key").read_bytes() == before


def test_example_configuration_is_whole(tmp_path):
    """The example file parses, and each program takes it as far as the paths that do not exist here."""
    path = ROOT / "cluster" / "cluster.yaml"
    example = yaml.safe_load(path.read_text())
    assert {"model", "certificates", "coordinator", "workers", "gateway", "log"} <= set(example)
    for program in ("coordinator", "worker", "gateway"):
        result = run([executable(program), "--config", str(path)], 20)
        assert result.returncode == 1 and "/etc/colony" in result.stderr, result.stderr
