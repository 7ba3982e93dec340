"""Holds a whole cluster, through its gateway, against the reference answers of a fixture."""

import json
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 30.0
REQUEST_SECONDS_MAX = 300.0
#: Logprobs of so many tokens are compared at each position, beside that of the token itself.
COMPARED = 5
LOGPROBS = 20


@dataclass
class Agreement:
    """Of one fixture."""
    worst: float
    greedy: int
    answers: int
    positions: int
    same_with_workers: bool


class Cluster:
    """`clusterctl up` as long as the block lasts."""

    def __init__(self, programs: Path, model: Path, workers: int, directory: Path):
        directory.mkdir(parents=True, exist_ok=True)
        self.output = directory / "up.out"
        self.errors = directory / "up.err"
        self.command = [
            programs / "clusterctl", "up", "--model", model, "--workers", str(workers), "--listen", "127.0.0.1:0",
            "--state", directory / "state", "--coordinator-activations", "f32", "--coordinator-kv-cache-format", "f32"]

    def __enter__(self) -> str:
        with open(self.output, "wb") as output, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.output.read_text().splitlines():
                if line.startswith("ready "):
                    return line.removeprefix("ready ")
            time.sleep(0.05)
        self.__exit__()
        raise RuntimeError(f"{self.command[3]} does not get ready:\n{self.errors.read_text(errors='replace')[-2000:]}")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def ask(url: str, prompt: list[int], tokens: int) -> dict:
    body = {
        "model": "default", "prompt": prompt, "max_tokens": tokens, "temperature": 0, "echo": True,
        "logprobs": LOGPROBS, "return_tokens_as_token_ids": True, "ignore_eos": True}
    request = urllib.request.Request(
        url + "/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=REQUEST_SECONDS_MAX) as answer:
        return json.load(answer)["choices"][0]["logprobs"]


def token(text: str) -> int:
    return int(text.removeprefix("token_id:"))


def compare(found: dict, golden: dict) -> tuple[float, bool, int]:
    """The worst difference of a logprob, whether the greedy tokens are the same, and how many positions were compared:
    up to where they part."""
    tokens = [token(each) for each in found["tokens"]]
    wanted = golden["prompt"] + golden["greedy"]
    same = next((i for i, pair in enumerate(zip(tokens, wanted)) if pair[0] != pair[1]), len(wanted))
    worst = 0.0
    for position in range(1, same):
        total = golden["log_sum_exp"][position - 1]
        worst = max(
            worst, abs(found["token_logprobs"][position] - (golden["token_logits"][position - 1] - total)))
        ours = {token(text): value for text, value in found["top_logprobs"][position].items()}
        best = zip(golden["top_ids"][position - 1][:COMPARED], golden["top_logits"][position - 1][:COMPARED])
        for identity, logit in best:
            worst = max(worst, abs(ours.get(identity, min(ours.values())) - (logit - total)))
    return worst, tokens == wanted, same - 1


def measure(programs: Path, fixture: Path, directory: Path) -> Agreement:
    golden = json.loads((fixture / "golden.json").read_text())["answers"]
    answers = []
    for workers in (0, 3):
        with Cluster(programs, fixture, workers, directory / str(workers)) as url:
            answers.append([ask(url, each["prompt"], len(each["greedy"])) for each in golden])
    compared = [compare(found, each) for found, each in zip(answers[0], golden)]
    return Agreement(
        worst=max(each[0] for each in compared), greedy=sum(each[1] for each in compared), answers=len(compared),
        positions=sum(each[2] for each in compared), same_with_workers=answers[0] == answers[1])
