"""The peer: where it comes from, how it is built, how it is measured."""

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
from pathlib import Path

from measure import Failed, Outcome, run

# The source package of the Python bindings carries the whole of llama.cpp; it is used for nothing else of it.
PACKAGE = "llama-cpp-python"
VERSION = "0.3.36"
SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"

# The last two are not timed: they are there to compare what is computed.
PROGRAMS = ("llama-bench", "llama-batched-bench", "llama-completion", "llama-perplexity")

# The peer's own defaults for a native build (which are `GGML_NATIVE`, OpenMP, repacked weights, its own matrix kernels,
# no BLAS). Named are only the first, on which everything depends, and what keeps away parts that are not measured.
OPTIONS = {
    "CMAKE_BUILD_TYPE": "Release",
    "GGML_NATIVE": "ON",
    "LLAMA_OPENSSL": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_SERVER": "OFF",
    "LLAMA_BUILD_TESTS": "OFF",
    # It would ask git, which knows the commit of Colony here.
    "LLAMA_BUILD_COMMIT": f"{PACKAGE}-{VERSION}",
    "LLAMA_BUILD_NUMBER": "0",
}
BUILD_JOBS = 2

# Prompt of each sequence where several decode together.
PROMPT_TOKENS_TOGETHER = 16

# The first repetition still maps pages in; the median of three leaves it out.
REPETITIONS = 3


def quietly(command: list, log: Path, **options):
    """Runs a step of the preparation at low priority; its output goes to a log, which is shown if it fails."""
    with open(log, "ab") as file:
        result = subprocess.run(
            ["nice", "-n", "15", *map(str, command)], stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False,
            **options)
    if result.returncode != 0:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise Failed(f"`{' '.join(map(str, command))}` failed, see {log}:\n{last}")


class Tools:
    """A Python environment with what building and writing models takes."""

    def __init__(self, work: Path):
        self.directory = work / "venv"
        self.log = work / "venv.log"
        self.requirements = Path(__file__).with_name("requirements.txt")
        self.stamp = self.directory / ".requirements"
        self.programs = self.directory / "bin"
        self.python = self.programs / "python"

    def is_ready(self) -> bool:
        return self.stamp.is_file() and self.stamp.read_text() == self.requirements.read_text()

    def prepare(self):
        if self.is_ready():
            return
        print("   Python environment: making it", flush=True)
        self.log.unlink(missing_ok=True)
        shutil.rmtree(self.directory, ignore_errors=True)
        quietly([sys.executable, "-m", "venv", self.directory], self.log)
        quietly([self.python, "-m", "pip", "install", "--quiet", "--requirement", self.requirements], self.log)
        self.stamp.write_text(self.requirements.read_text())


class Peer:
    """llama.cpp in a directory of its own: downloaded, unpacked and built once."""

    name = "llama.cpp"

    def __init__(self, work: Path, threads: int):
        self.tools = Tools(work)
        self.threads = threads
        self.downloads = work / "source"
        self.source = work / f"{PACKAGE.replace('-', '_')}-{VERSION}"
        self.build = work / "build"
        self.log = work / "build.log"
        self.stamp = self.build / ".built"

    def program(self, name: str) -> Path:
        return self.build / "bin" / name

    @staticmethod
    def compiler(variable: str, default: str) -> str:
        return os.environ.get(variable) or default

    def recipe(self) -> str:
        """All that decides what the programs are: a change of any of it builds them anew."""
        compiler = subprocess.run(
            [self.compiler("CXX", "c++"), "--version"], capture_output=True, text=True, check=False)
        options = " ".join(f"-D{key}={value}" for key, value in OPTIONS.items())
        return f"{PACKAGE} {VERSION}\n{compiler.stdout.splitlines()[0]}\n{options}\n{' '.join(PROGRAMS)}\n"

    def is_built(self) -> bool:
        return not self.missing_compilers() and self.stamp.is_file() and self.stamp.read_text() == self.recipe()

    def describe(self) -> dict:
        source, compiler, options, _ = self.recipe().splitlines()
        return {"source": source, "compiler": compiler, "options": options, "repetitions": REPETITIONS}

    def missing_compilers(self) -> list[str]:
        wanted = [self.compiler("CC", "cc"), self.compiler("CXX", "c++")]
        return [each for each in wanted if shutil.which(each) is None]

    def prepare(self):
        self.tools.prepare()
        if self.is_built():
            return
        if not (self.source / "vendor/llama.cpp/CMakeLists.txt").is_file():
            self.fetch()
        print(f"   {self.name}: building it at low priority, {BUILD_JOBS} jobs; minutes, once", flush=True)
        self.log.unlink(missing_ok=True)
        path = f"{self.tools.programs}{os.pathsep}{os.environ['PATH']}"
        options = [f"-D{key}={value}" for key, value in OPTIONS.items()]
        configure = ["cmake", "-S", self.source / "vendor/llama.cpp", "-B", self.build, "-G", "Ninja", *options]
        quietly(configure, self.log, env={**os.environ, "PATH": path})
        quietly(["ninja", "-C", self.build, "-j", BUILD_JOBS, *PROGRAMS], self.log, env={**os.environ, "PATH": path})
        self.stamp.write_text(self.recipe())

    def fetch(self):
        """Gets the source package and nothing else: without build isolation and dependencies, pip builds nothing."""
        archive = self.downloads / f"{self.source.name}.tar.gz"
        if not archive.is_file():
            print(f"   {self.name}: fetching the source package of {PACKAGE} {VERSION}", flush=True)
            quietly(
                [self.tools.python, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation",
                 "--no-binary", PACKAGE, "--dest", self.downloads, f"{PACKAGE}=={VERSION}"],
                self.tools.log, env={**os.environ, "PATH": f"{self.tools.programs}{os.pathsep}{os.environ['PATH']}"})
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != SHA256:
            raise Failed(f"{archive} has SHA-256 {found}, expected {SHA256}: remove it and try again")
        shutil.rmtree(self.source, ignore_errors=True)
        with tarfile.open(archive) as packed:
            # The filter refuses names that lead out of the directory; Python before 3.11.4 has none.
            safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            packed.extractall(self.source.parent, **safely)

    def measure(self, file: Path, prompt: int, tokens: int, together: list[int]) -> dict:
        """Speeds in tokens per second, and the largest resident set; `prompt` may be 0, `together` empty."""
        outcome = run([
            self.program("llama-bench"), "-m", file, "-t", self.threads, "-p", prompt, "-n", tokens,
            "-r", REPETITIONS, "-o", "json"])
        outcomes, speeds = [outcome], bench_speeds(outcome.text)
        if together:
            context = max(together) * (PROMPT_TOKENS_TOGETHER + tokens)
            outcomes.append(run([
                self.program("llama-batched-bench"), "-m", file, "-t", self.threads, "-c", context,
                "-npp", PROMPT_TOKENS_TOGETHER, "-ntg", tokens, "-npl", ",".join(map(str, together)),
                "--output-format", "jsonl"]))
            speeds["decode"].update(batched_speeds(outcomes[-1].text))
        return {**speeds, **usage(outcomes)}

    def start(self, file: Path, tokens: int) -> dict:
        """Seconds from exec until the first token was computed, and until `tokens` more were."""
        outcome = run([
            self.program("llama-bench"), "-m", file, "-t", self.threads, "-p", 0, "-n", tokens, "-r", 1, "-o", "jsonl",
            "--progress"])
        # It says so when its warm-up, one token, is done and the timed tokens begin.
        ready = outcome.first(outcome.errors, "generation run 1/1")
        done = outcome.first(outcome.output, "samples_ts")
        if ready is None or done is None:
            raise Failed("llama-bench does not say when it begins any more")
        return {"readySeconds": ready, "tokensSeconds": done, **usage([outcome])}


def usage(outcomes: list[Outcome]) -> dict:
    """What several runs took at most."""
    return {
        "peakBytes": max(outcome.peak_bytes for outcome in outcomes),
        "othersShare": round(max(outcome.others_share for outcome in outcomes), 4),
    }


def bench_speeds(text: str) -> dict:
    """Speeds from the JSON of llama-bench: the median of the repetitions of each test."""
    speeds: dict = {"decode": {}}
    for test in json.loads(text):
        median = statistics.median(test["samples_ts"])
        if test["n_gen"] == 0:
            speeds["prompt"] = median
        else:
            speeds["decode"]["1"] = median
    return speeds


def batched_speeds(text: str) -> dict[str, float]:
    """Speeds by number of sequences from the JSON lines of llama-batched-bench; other lines are its log."""
    tests = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {str(test["pl"]): test["speed_tg"] for test in tests}
