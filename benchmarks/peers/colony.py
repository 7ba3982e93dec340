"""Colony: how it is found and measured."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from statistics import median

from cluster import REPETITIONS, LocalCluster
from figures import CLUSTER_SEQUENCES
from measure import Failed, drop_from_cache, run
from peer import usage

# A prompt so short that reading it does not count, where the start is measured.
PROMPT_TOKENS_AT_START = 16


class Colony:
    """`clusterbench model` of a release build."""

    name = "Colony"

    def __init__(self, programs: Path, threads: int):
        self.program = programs / "clusterbench"
        self.threads = threads

    def check(self):
        """Whether there is something to measure."""
        if not self.program.is_file():
            raise Failed(f"{self.program} is missing: swift build -c release (or say --programs DIRECTORY)")
        help_text = subprocess.run([self.program, "model", "--help"], capture_output=True, text=True, check=False)
        if help_text.returncode != 0 or "--batch" not in help_text.stdout:
            raise Failed(f"{self.program} has no command `model`: it is too old, swift build -c release")

    def run(self, file: Path, prompt: int, tokens: int, sequences: list[int], cache: Path | None = None):
        return run([
            self.program, "model", "--model", file, "--prompt", prompt, "--tokens", tokens,
            "--batch", ",".join(map(str, sequences)), "--threads", self.threads, "--json",
            *(["--weight-cache", cache] if cache else [])])

    def measure(self, file: Path, prompt: int, tokens: int, together: list[int]) -> dict:
        """Speeds in tokens per second, the read ceiling, and the largest resident set."""
        outcome = self.run(file, prompt or PROMPT_TOKENS_AT_START, tokens, [1, *together])
        return {**model_speeds(outcome.text), **usage([outcome])}

    def start(self, file: Path, tokens: int, cache: Path | None = None) -> dict:
        """Seconds from exec until the model is ready, and until `tokens` tokens were computed."""
        outcome = self.run(file, PROMPT_TOKENS_AT_START, tokens, [1], cache)
        report = json.loads(outcome.text)
        # What happens before loading begins is some milliseconds; measuring the read ceiling comes after it.
        ready = report["loadSeconds"]
        speed = model_speeds(outcome.text)["decode"]["1"]
        return {"readySeconds": ready, "tokensSeconds": ready + tokens / speed, **usage([outcome])}

    def packed_starts(self, file: Path, tokens: int, work: Path, warn: Callable[[str], None]) -> dict:
        """Starts from the weights that an earlier start has packed: in the page cache, and not in memory."""
        cache = work / "weights"
        shutil.rmtree(cache, ignore_errors=True)
        try:
            self.start(file, 1, cache)
            found = {"packed": self.start(file, tokens, cache)}
            packed = [each for each in cache.rglob("*") if each.is_file()]
            if all([drop_from_cache(each) for each in packed]):
                found["packedCold"] = self.start(file, tokens, cache)
            else:
                warn(f"the kernel keeps {cache} in memory: no cold start from it is measured")
            return found
        finally:
            shutil.rmtree(cache, ignore_errors=True)

    def cluster(self, file: Path, tokens: int, work: Path) -> dict:
        """Sequences together through a gateway and three workers on this machine, in turn with one process: what the
        machine can do changes within seconds, so each measurement counts beside the two around it."""
        def alone() -> float:
            outcome = self.run(file, PROMPT_TOKENS_AT_START, tokens, [CLUSTER_SEQUENCES])
            return model_speeds(outcome.text)["decode"][str(CLUSTER_SEQUENCES)]

        with LocalCluster(self.program.parent, file, work / "cluster") as cluster:
            cluster.load(CLUSTER_SEQUENCES, tokens)
            one_process, together = [alone()], []
            for _ in range(REPETITIONS):
                together.append(cluster.load(CLUSTER_SEQUENCES, tokens))
                one_process.append(alone())
        around = [(before + after) / 2 for before, after in zip(one_process, one_process[1:])]
        return {
            "tokensPerSecond": median(together), "aloneTokensPerSecond": median(one_process),
            "shareOfOneProcess": median(speed / beside for speed, beside in zip(together, around))}


def model_speeds(text: str) -> dict:
    """Speeds from the JSON of `clusterbench model`."""
    report = json.loads(text)
    speeds: dict = {"decode": {}, "readGigabytesPerSecond": report["readGigabytesPerSecond"]}
    for result in report["results"]:
        if result["kind"] == "prompt":
            speeds["prompt"] = result["tokensPerSecond"]
        else:
            speeds["decode"][str(result["sequences"])] = result["tokensPerSecond"]
            # The one that was measured beside the decoding that it bounds.
            if "readGigabytesPerSecond" in result:
                speeds["readGigabytesPerSecond"] = result["readGigabytesPerSecond"]
    speeds["instructionSet"] = report["instructionSet"]
    return speeds
