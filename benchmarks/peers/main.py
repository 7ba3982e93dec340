"""Colony beside llama.cpp on this machine: the same files, in turn, round after round."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import figures
import measure
from colony import Colony
from measure import Failed
from peer import PROMPT_TOKENS_TOGETHER, Peer, quietly
from picture import picture

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WORK = ROOT / ".build-peers"

# What the model files take, and what the peer takes with its source and its build.
MODEL_BYTES = {"Q4_K": 4_300_000_000, "Q8_0": 8_100_000_000}
# The file of packed weights that Colony makes of the Q4_K model, and that goes away after each round.
PACKED_BYTES = 4_300_000_000
PEER_BYTES = 1_000_000_000
SPARE_BYTES = 1_000_000_000

# The peer may hold two copies of the weights: the mapped file, and one in its own order.
PEER_COPIES = 2

LOAD_PER_PROCESSOR_MAX = 0.25


def note(text: str):
    print(f"   {text}", flush=True)


def warn(text: str):
    print(f"compare: warning: {text}", file=sys.stderr, flush=True)


def counts(text: str) -> list[int]:
    values = [int(part) for part in text.split(",") if part]
    if any(value < 2 for value in values):
        raise argparse.ArgumentTypeError("numbers of sequences from 2 on, with commas")
    return values


def quants(text: str) -> list[str]:
    values = text.split(",")
    if not set(values) <= set(MODEL_BYTES):
        raise argparse.ArgumentTypeError(f"some of {', '.join(MODEL_BYTES)}, with commas")
    return values


def model_file(text: str) -> tuple[str, Path]:
    quant, _, path = text.partition("=")
    if quant not in MODEL_BYTES or not path:
        raise argparse.ArgumentTypeError("QUANT=PATH, for instance Q4_K=model.gguf")
    return quant, Path(path)


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/peers/compare",
        description="Builds llama.cpp (once), writes model files of random weights (once), then measures it and Colony "
        "in turn. Writes results.json, results.md and results.svg. Cached in .build-peers: about 1 GB of programs, "
        "12.4 GB of models.",
        epilog="Colony must be built before: swift build -c release. The first run takes about ten minutes longer "
        "than later ones.")
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="(default %(default)s)")
    add("--threads", type=int, default=os.cpu_count() or 1, help="of each program (default: all %(default)s)")
    add("--quants", type=quants, default=list(MODEL_BYTES), metavar="LIST", help="(default Q4_K,Q8_0)")
    add("--prompt", type=int, default=512, help="tokens of the prompt (default %(default)s)")
    add("--tokens", type=int, default=64, help="tokens that are decoded (default %(default)s)")
    add("--together", type=counts, default=[8, 32], metavar="LIST", help="sequences decoded together (default 8,32)")
    add("--file", type=model_file, action="append", default=[], metavar="QUANT=PATH", help="a model file that is there")
    add("--only", choices=["peer", "colony"], help="measure one of the two; there are no ratios then")
    add("--prepare", action="store_true", help="build and write what is missing, measure nothing")
    add("--no-start", action="store_true", help="leave out how long starting takes")
    add("--programs", type=Path, default=ROOT / ".build/release", metavar="DIRECTORY", help="where clusterbench is")
    add("--output", type=Path, default=HERE, metavar="DIRECTORY", help="where results go (default: beside the script)")
    arguments = parser.parse_args(words)
    if min(arguments.rounds, arguments.threads, arguments.prompt, arguments.tokens) < 1:
        parser.error("--rounds, --threads, --prompt and --tokens are at least 1")
    return arguments


class Comparison:
    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.files = {quant: WORK / "models" / f"random-{quant}.gguf" for quant in arguments.quants}
        self.files.update({quant: path for quant, path in arguments.file if quant in self.files})
        self.peer = Peer(WORK, arguments.threads)
        self.colony = Colony(arguments.programs, arguments.threads)
        self.models: dict[str, dict] = {}
        self.rounds: list[dict] = []

    @property
    def sides(self) -> dict:
        both = {"peer": self.peer, "colony": self.colony}
        return {name: side for name, side in both.items() if self.arguments.only in (None, name)}

    # Before anything is measured

    def check(self):
        """What can be known before minutes are spent: each refusal says what to do."""
        for quant, path in self.arguments.file:
            if not path.is_file():
                raise Failed(f"--file {quant}={path}: no such file")
        if "colony" in self.sides and not self.arguments.prepare:
            self.colony.check()
        if "peer" in self.sides and not self.peer.is_built():
            if missing := self.peer.missing_compilers():
                raise Failed(f"no compiler {' and '.join(missing)}: apt-get install build-essential (or set CC, CXX)")
        if not self.peer.tools.is_ready() and self.lacks_venv():
            raise Failed("python3 has no module venv: apt-get install python3-venv")
        self.check_disk()

    @staticmethod
    def lacks_venv() -> bool:
        command = [sys.executable, "-c", "import ensurepip, venv"]
        return subprocess.run(command, capture_output=True, check=False).returncode != 0

    def check_disk(self):
        missing = [MODEL_BYTES[quant] for quant, path in self.files.items() if not path.is_file()]
        if "peer" in self.sides and not self.peer.is_built():
            missing.append(PEER_BYTES)
        WORK.mkdir(exist_ok=True)
        free = shutil.disk_usage(WORK).free
        if "colony" in self.sides and "Q4_K" in self.files and not self.arguments.no_start:
            missing.append(PACKED_BYTES)
        needed = sum(missing) + SPARE_BYTES if missing else 0
        if free < needed:
            raise Failed(
                f"{WORK} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed: make room, or take less: "
                "--quants Q4_K, --file QUANT=PATH")

    def prepare(self):
        if "peer" in self.sides:
            self.peer.prepare()
        self.peer.tools.prepare()
        script = HERE / "make_model.py"
        for quant, path in self.files.items():
            if not path.is_file():
                note(f"{path.name}: writing {MODEL_BYTES[quant] / 1e9:.1f} GB")
                path.parent.mkdir(exist_ok=True)
                quietly([self.peer.tools.python, script, "--quant", quant, "--out", path], WORK / "models.log")
            self.models[quant] = self.describe(path)

    def describe(self, path: Path) -> dict:
        command = [self.peer.tools.python, HERE / "make_model.py", "--describe", path]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise Failed(f"{path} is no model file that can be compared:\n{result.stderr[-1000:]}")
        model = json.loads(result.stdout)
        a = self.arguments
        model["keyValueBytes"] = figures.key_value_bytes(model, a.prompt, a.tokens, a.together, PROMPT_TOKENS_TOGETHER)
        return {"file": path.name, **model}

    def warn_of_the_machine(self):
        processors = os.cpu_count() or 1
        load = os.getloadavg()[0]
        if load > LOAD_PER_PROCESSOR_MAX * processors:
            warn(f"the load average is {load:.1f} on {processors} processors: what runs beside this changes results")
        if self.arguments.threads > processors:
            warn(f"{self.arguments.threads} threads on {processors} processors hinder each other")
        available = available_bytes()
        largest = max(model["fileBytes"] for model in self.models.values())
        if available < PEER_COPIES * largest + SPARE_BYTES:
            warn(
                f"{available / 1e9:.1f} GB of memory are available; llama.cpp may hold {PEER_COPIES} copies of "
                f"{largest / 1e9:.1f} GB, and reads weights from the disk where they do not fit: --quants Q4_K")

    # Measuring

    def measure_all(self):
        for index in range(self.arguments.rounds):
            # Who goes first changes, so that neither always finds what the other left.
            order = list(self.sides.items())
            if index % 2 == 1:
                order.reverse()
            found: dict = {"load": os.getloadavg()[0], "first": order[0][0]}
            for quant, file in self.files.items():
                found[quant] = {}
                for name, side in order:
                    note(f"round {index + 1} of {self.arguments.rounds}: {side.name}, {quant}")
                    found[quant][name] = self.measure(side, quant, file)
            self.rounds.append(found)
            self.write()

    def measure(self, side, quant: str, file: Path) -> dict:
        """The Q4_K file gets every measurement, another only decoding: nothing else of it is in the table."""
        a = self.arguments
        everything = quant == "Q4_K"
        measure.read_into_cache(file)
        if not measure.wait_for_quiet():
            warn("the machine does not get quiet; measuring all the same")
        measured = side.measure(file, a.prompt if everything else 0, a.tokens, a.together if everything else [])
        if everything and not a.no_start:
            measured["start"] = {"warm": side.start(file, a.tokens)}
            if measure.drop_from_cache(file):
                measured["start"]["cold"] = side.start(file, a.tokens)
            else:
                warn(f"the kernel keeps {file} in memory, another process may use it: no cold start is measured")
        if everything and side is self.colony:
            measured["cluster"] = side.cluster(file, a.tokens, WORK)
            if not a.no_start:
                measured["start"].update(side.packed_starts(file, a.tokens, WORK, warn))
        if measured["othersShare"] > measure.OTHERS_SHARE_MAX:
            others = 100 * measured["othersShare"]
            warn(f"others used {others:.0f} % of the processors during this measurement: it is worth little")
        return measured

    # What is said about it

    def machine(self) -> dict:
        return {
            "processor": processor(), "processors": os.cpu_count(), "kernel": platform.release(),
            "memoryBytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "commit": commit(),
        }

    def rows(self) -> list[figures.Row]:
        settings = {
            "promptTokens": self.arguments.prompt, "tokens": self.arguments.tokens, "together": self.arguments.together}
        return figures.rows(self.rounds, self.models, settings)

    def write(self):
        """After each round, so that a run that is interrupted leaves what it found."""
        a, rows, machine = self.arguments, self.rows(), self.machine()
        results = {
            "machine": machine, "peer": self.peer.describe() if "peer" in self.sides else None,
            "settings": {
                "threads": a.threads, "promptTokens": a.prompt, "tokens": a.tokens, "together": a.together,
                "promptTokensTogether": PROMPT_TOKENS_TOGETHER,
            },
            "models": self.models, "rounds": self.rounds,
            "rows": [{**asdict(row), "target": row.target, "isMet": row.is_met} for row in rows],
        }
        caption = (
            f"{machine['processor']}, {a.threads} threads, rounds in turn: {len(self.rounds)}, "
            f"commit {machine['commit']}")
        a.output.mkdir(parents=True, exist_ok=True)
        (a.output / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
        (a.output / "results.md").write_text(self.report(rows, machine))
        (a.output / "results.svg").write_text(picture(rows, caption))

    def report(self, rows: list[figures.Row], machine: dict) -> str:
        measured = [each[quant][name] for each in self.rounds for quant in self.files for name in each[quant]]
        others = max(each["othersShare"] for each in measured)
        ceilings = figures.Spread.of([
            each["readGigabytesPerSecond"] for each in measured if each.get("readGigabytesPerSecond")])
        lines = [
            "# Colony beside llama.cpp", "",
            f"`benchmarks/peers/compare`, rounds: {len(self.rounds)}; on {machine['processor']}, "
            f"{machine['processors']} processors, {machine['memoryBytes'] / 2**30:.0f} GiB, Linux {machine['kernel']}; "
            f"{self.arguments.threads} threads each; commit {machine['commit']}. [README.md](README.md) says what is "
            "measured and how.", "", figures.table(rows)]
        if ceilings:
            lines.append(
                f"Read ceiling: {ceilings.median:.1f} GB/s ({ceilings.least:.1f}–{ceilings.greatest:.1f} over the "
                "rounds); a share is of that of its own round.")
        if "peer" in self.sides:
            source, compiler, options = list(self.peer.describe().values())[:3]
            lines.append(f"llama.cpp: {source}, {compiler}, `{options}`.")
        lines.append(f"Others used at most {100 * others:.0f} % of the processors during a measurement.")
        return "\n".join(lines) + "\n"


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def available_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def commit() -> str:
    """The commit that is checked out, with a plus if files were changed since."""
    def git(*words: str) -> str:
        result = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False)
        return result.stdout.strip() if result.returncode == 0 else ""

    known = git("rev-parse", "--short", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", "Sources", "Package.swift")
    return (known + "+" if changed else known) or "unknown"


def main() -> int:
    comparison = Comparison(parse(sys.argv[1:]))
    try:
        comparison.check()
        comparison.prepare()
        if comparison.arguments.prepare:
            note("everything is there")
            return 0
        comparison.warn_of_the_machine()
        comparison.measure_all()
    except Failed as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("compare: interrupted; what whole rounds found is in the results", file=sys.stderr)
        return 130
    print("\n" + comparison.report(comparison.rows(), comparison.machine()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
