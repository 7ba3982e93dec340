"""A cluster on several hosts: every program by itself, on an address of its own, with nothing in common but the
configuration file's contents and certificates of one authority."""

from pathlib import Path

import httpx
import yaml

from support import checkpoints
from support.processes import Process, executable, free_port, run, wait_until

COORDINATOR_HOST, GATEWAY_HOST, OPERATOR = "127.0.0.2", "127.0.0.5", "operator"
WORKER_HOSTS = ["127.0.0.3", "127.0.0.4"]


def certs(*arguments: str) -> str:
    """`clusterctl certs …`, which has to succeed."""
    result = run([executable("clusterctl"), "certs", *arguments])
    assert result.returncode == 0, f"certs {' '.join(arguments)}: {result.stderr}"
    return result.stdout


def make_authority(directory: Path) -> Path:
    """A new authority."""
    certs("init", "--directory", str(directory))
    return directory


def issue(authority: Path, node: str, role: str, directory: Path) -> Path:
    """A certificate directory for one node."""
    certs("issue", node, "--role", role, "--authority", str(authority), "--directory", str(directory))
    return directory


class Hosts:
    """Coordinator, two workers and gateway on 127.0.0.2 to .5."""

    def __init__(self, directory: Path, model: Path = checkpoints.DEFAULT):
        self.directory = directory
        self.model = model
        self.authority = make_authority(directory / "authority")
        self.processes: dict[str, Process] = {}
        self.addresses = {"coordinator": f"{COORDINATOR_HOST}:{free_port(COORDINATOR_HOST)}"}
        for number, host in enumerate(WORKER_HOSTS, start=1):
            self.addresses[f"worker-{number}"] = f"{host}:{free_port(host)}"
        self.addresses["gateway"] = f"{GATEWAY_HOST}:{free_port(GATEWAY_HOST)}"
        for name in [*self.addresses, OPERATOR]:
            issue(self.authority, name, name.split("-")[0], directory / name)

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://{self.addresses['gateway']}"

    def configuration(self, name: str) -> dict:
        """The configuration file as the host of this node has it."""
        workers = [name for name in self.addresses if name.startswith("worker")]
        return {
            "model": str(self.model),
            "certificates": str(self.directory / name),
            "coordinator": {"address": self.addresses["coordinator"], "threads": 1},
            "workers": [{"node": worker, "address": self.addresses[worker], "threads": 1} for worker in workers],
            "gateway": {"address": self.addresses["gateway"]},
        }

    def write_configuration(self, name: str, changes: dict | None = None) -> Path:
        """Writes the file of one host."""
        path = self.directory / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**self.configuration(name), **(changes or {})}))
        return path

    def start(self, name: str, changes: dict | None = None) -> Process:
        """Starts one program, as its host would."""
        program = name.split("-")[0]
        process = Process([executable(program), "--config", str(self.write_configuration(name, changes))])
        self.processes[name] = process
        return process

    def start_all(self) -> "Hosts":
        """Starts all of them, in an order that no host can count on."""
        for name in reversed(self.addresses):
            self.start(name)
        for process in self.processes.values():
            process.wait_for_line("listening ")
        return self

    def health_status(self) -> int:
        """The status of `GET /health`, 0 while nobody answers."""
        try:
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).status_code
        except httpx.TransportError:
            return 0

    def reason(self, name: str) -> str | None:
        """Why a node is not ready, as `GET /cluster` says; nothing while nobody answers."""
        try:
            document = httpx.get(f"{self.url}/cluster", timeout=5, trust_env=False).json()
        except httpx.TransportError:
            return None
        return next((node.get("reason") for node in document["nodes"] if node["name"] == name), None)

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Waits until the cluster can generate."""
        wait_until(lambda: self.health_status() == 200, seconds, self.transcript)

    def transcript(self) -> str:
        """What all programs wrote."""
        return "\n".join(process.transcript() for process in self.processes.values())

    def end(self) -> None:
        """Ends whatever runs."""
        for process in self.processes.values():
            process.end()
