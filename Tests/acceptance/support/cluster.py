"""A whole cluster on this machine, as `clusterctl up` starts it."""

import json
import os
import signal
import time
from pathlib import Path

import httpx

from support.processes import PATIENCE_SECONDS, Process, executable, is_listening, run, wait_until


# Nothing but the weights is rounded: what golden answers take.
EXACT = ["--coordinator-activations", "f32", "--coordinator-kv-cache-format", "f32"]


class Cluster:
    """One `clusterctl up`, from its start to its end."""

    def __init__(self, model: Path, state: Path, workers: int = 3, options: list[str] | None = None):
        self.state = state
        self.workers = workers
        arguments = [executable("clusterctl"), "up", "--model", str(model), "--workers", str(workers)]
        arguments += ["--listen", "127.0.0.1:0", "--state", str(state)]
        self.process = Process(arguments + (options or []))
        self.url = ""

    def wait_until_ready(self) -> "Cluster":
        """Waits for the line `ready http://…` (or `https`) and takes the address from it."""
        line = self.process.wait_for_line("ready http")
        self.url = line.split()[1].rstrip("/")
        return self

    def pids(self) -> dict[str, int]:
        """The pid of each process by its name."""
        return json.loads((self.state / "pids.json").read_text())

    def client(self, seconds: float = PATIENCE_SECONDS) -> httpx.Client:
        """A client for requests below this cluster's address."""
        return httpx.Client(base_url=self.url, timeout=seconds, trust_env=False)

    def health(self) -> httpx.Response:
        """`GET /health`."""
        return httpx.get(f"{self.url}/health", timeout=5, trust_env=False)

    def status(self) -> dict:
        """What `clusterctl status --json` prints."""
        result = run([executable("clusterctl"), "status", "--json", "--state", str(self.state)], 20)
        assert result.returncode in (0, 1), f"status ended with {result.returncode}: {result.stderr}"
        return json.loads(result.stdout)

    def node(self, name: str) -> dict:
        """One node of the status."""
        nodes = {node["name"]: node for node in self.status()["nodes"]}
        assert name in nodes, f"no {name} among {sorted(nodes)}"
        return nodes[name]

    def complete(self, **body) -> dict:
        """One completion; numbers stay text, so that equal means bit for bit."""
        with self.client() as client:
            return exact_json(post(client, "/v1/completions", body))

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20) -> int:
        """Asks `up` to stop; checks that nothing is left: no process, no open port. Gives back the exit status."""
        ports = self.process.ports()
        started = time.monotonic()
        self.process.signal(number)
        status = self.process.wait(seconds)
        # Children are reaped by `up`; a moment for the system to forget the last one.
        wait_until(lambda: not self.process.living(), 2, f"processes are left: {self.process.living()}")
        open_ports = [address for address in ports if is_listening(*address)]
        assert not open_ports, f"still listening after {time.monotonic() - started:.1f} s: {open_ports}"
        return status

    def end(self) -> None:
        """Clean-up for whatever happened: an orderly stop if that is possible, and nothing left in any case."""
        try:
            if self.process.popen.poll() is None:
                for pid in self.pids().values() if (self.state / "pids.json").exists() else []:
                    _continue(pid)
                self.process.signal(signal.SIGTERM)
                self.process.wait(20)
        finally:
            self.process.end()


def _continue(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass


def post(client: httpx.Client, path: str, body: dict) -> str:
    """The text of an answer that has to be a good one."""
    response = client.post(path, json={"model": "default", **body})
    assert response.status_code == 200, f"{response.status_code}: {response.text}"
    return response.text


def exact_json(text: str) -> dict:
    """A document whose fractions stay the text that they were: 0.10 and 0.1 differ, as do any two different bits."""
    return json.loads(text, parse_float=lambda number: f"number {number}")
