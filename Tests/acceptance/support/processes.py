"""Processes of the cluster: started, watched, and ended by pid, without a trace.

Every process that is started here carries a mark of its own in its environment, which its children inherit wherever
they put themselves. So "is anything left of it?" has an exact answer, and nobody else's process is ever touched.
"""

import os
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

# The time that anything may take that should take a moment; generous, because machines are shared.
PATIENCE_SECONDS = 60.0

# What a crash writes, by Swift's runtime or by the system.
CRASH_WORDS = ("Fatal error", "Crash", "Backtrace", "Illegal instruction", "Segmentation fault", "Stack dump")


def executable(name: str) -> str:
    """The path of one of the five executables, from ACCEPTANCE_EXECUTABLES or from the release build."""
    directory = Path(os.environ.get("ACCEPTANCE_EXECUTABLES") or ROOT / ".build" / "release")
    path = directory / name
    assert path.is_file(), f"{path} is missing: build first (cluster/test does), or set ACCEPTANCE_EXECUTABLES"
    return str(path)


def wait_until(
    condition: Callable[[], object], seconds: float = PATIENCE_SECONDS, what: str | Callable[[], str] = ""
) -> object:
    """Polls until the condition holds and gives back its value; fails after `seconds`, and says what was awaited."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.02)


class Process:
    """One started program with its output, line by line."""

    def __init__(self, arguments: list[str], environment: dict[str, str] | None = None):
        self.arguments = arguments
        self.mark = f"ACCEPTANCE_MARK={uuid.uuid4()}"
        self.output: list[str] = []
        self.errors: list[str] = []
        key, value = self.mark.split("=")
        self.popen = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, **(environment or {}), key: value},
            text=True,
            errors="replace",
            # A shell may have started us with these ignored, and ignoring is inherited.
            preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGTERM)],
        )
        self.readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.popen.stdout, self.output), (self.popen.stderr, self.errors))
        ]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream, lines: list[str]) -> None:
        for line in stream:
            lines.append(line.rstrip("\n"))

    @property
    def pid(self) -> int:
        """The pid of the program itself."""
        return self.popen.pid

    def transcript(self) -> str:
        """What was written so far, for messages."""
        lines = [f"$ {' '.join(self.arguments)}"] + [f"out: {line}" for line in self.output[-60:]]
        return "\n".join(lines + [f"err: {line}" for line in self.errors[-60:]])

    def wait_for_line(self, prefix: str, seconds: float = PATIENCE_SECONDS) -> str:
        """The first line of standard output that begins so; fails if the program ends first or takes too long."""
        deadline = time.monotonic() + seconds
        while True:
            ended = self.popen.poll() is not None
            if ended:
                self.readers[0].join(timeout=5)
            for line in list(self.output):
                if line.startswith(prefix):
                    return line
            assert not ended, f"ended with {self.popen.returncode} before '{prefix}…'\n{self.transcript()}"
            assert time.monotonic() < deadline, f"no line '{prefix}…' within {seconds} s\n{self.transcript()}"
            time.sleep(0.02)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """The exit status, once it has ended; fails if it takes longer."""
        try:
            status = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s\n{self.transcript()}") from None
        for reader in self.readers:
            reader.join(timeout=5)
        return status

    def signal(self, number: int) -> None:
        """Sends a signal to the program itself, not to its children."""
        if self.popen.poll() is None:
            os.kill(self.pid, number)

    def living(self) -> list[int]:
        """The pids of the program and everything below it that still run."""
        return [pid for pid, environment in _environments() if self.mark.encode() in environment.split(b"\0")]

    def ports(self) -> set[tuple[str, int]]:
        """Where the program and everything below it listens."""
        inodes = {inode for pid in self.living() for inode in _socket_inodes(pid)}
        return {address for inode, address in _listening_sockets() if inode in inodes}

    def end(self) -> None:
        """Ends whatever is left, at once. For clean-up; a test that expects an orderly end asks for it itself."""
        for pid in self.living():
            for number in (signal.SIGCONT, signal.SIGKILL):
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
        self.popen.wait(10)
        wait_until(lambda: not self.living(), 10, "processes outlive SIGKILL")


def run(arguments: list[str], seconds: float = PATIENCE_SECONDS, text: str = "") -> subprocess.CompletedProcess:
    """Runs a program that should end by itself, with a text as its standard input."""
    return subprocess.run(arguments, capture_output=True, text=True, timeout=seconds, input=text, check=False)


def _environments() -> list[tuple[int, bytes]]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found.append((int(entry), Path(f"/proc/{entry}/environ").read_bytes()))
            except OSError:
                continue
    return found


def _socket_inodes(pid: int) -> set[str]:
    inodes = set()
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return inodes
    for descriptor in descriptors:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return inodes


def _listening_sockets() -> list[tuple[str, tuple[str, int]]]:
    sockets = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            address, port = fields[1].split(":")
            host = socket.inet_ntoa(int(address, 16).to_bytes(4, "little"))
            sockets.append((fields[9], (host, int(port, 16))))
    return sockets


def is_listening(host: str, port: int) -> bool:
    """Whether anybody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, port)) == 0


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]
