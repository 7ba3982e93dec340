"""A whole cluster of Colony on this machine: started, asked, stopped."""

import json
import shutil
import subprocess
import time
from pathlib import Path

from measure import Failed

WORKERS = 3
PROMPT_TOKENS = 16
REPETITIONS = 5
READY_SECONDS_MAX = 600.0
STOP_SECONDS_MAX = 30.0


class LocalCluster:
    """`clusterctl up` in a directory of its own, as long as the block lasts."""

    def __init__(self, programs: Path, file: Path, directory: Path):
        self.programs = programs
        self.file = file
        self.directory = directory

    def __enter__(self) -> "LocalCluster":
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        command = [
            self.programs / "clusterctl", "up", "--model", self.file, "--workers", str(WORKERS), "--listen",
            "127.0.0.1:0", "--state", self.directory / "state", "--weight-cache-bytes", "0"]
        self.log = open(self.directory / "up.log", "wb")
        self.output = open(self.directory / "up.out", "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.log)
        try:
            self.url = self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.output.close()

    def wait_until_ready(self) -> str:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            for line in (self.directory / "up.out").read_text().splitlines():
                if line.startswith("ready "):
                    return line.removeprefix("ready ")
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        last = "\n".join((self.directory / "up.log").read_text(errors="replace").splitlines()[-10:])
        raise Failed(f"the cluster does not get ready:\n{last}")

    def load(self, sequences: int, tokens: int) -> float:
        """Tokens per second of all sequences together, from their first tokens on."""
        result = subprocess.run(
            [
                self.programs / "clusterbench", "load", "--url", self.url, "--concurrency", str(sequences),
                "--requests", str(sequences), "--prompt-tokens", str(PROMPT_TOKENS), "--output-tokens",
                str(tokens + 1), "--json"],
            capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise Failed(f"clusterbench load failed:\n{result.stderr[-1000:]}")
        return sequences * 1000 / json.loads(result.stdout)["timePerOutputTokenMilliseconds"]["p50"]
