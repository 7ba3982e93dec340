"""The scripts around the cluster: they parse, they explain themselves, they count right, and the demo demonstrates."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import checkpoints
from support.processes import ROOT, executable, run
from support.terminal import Terminal

SCRIPTS = [
    ".ci/run",
    "Tests/Fuzz/run",
    "benchmarks/peers/compare",
    "cluster/demo",
    "cluster/test",
    "cluster/lib/common.sh",
    "cluster/lib/progress.sh",
    "cluster/lib/setup.sh",
]
COUNT = [sys.executable, str(ROOT / "cluster" / "lib" / "count_tests.py")]


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_parses(script):
    assert run(["bash", "-n", str(ROOT / script)]).returncode == 0


@pytest.mark.parametrize("script", ["Tests/Fuzz/run", "benchmarks/peers/compare", "cluster/demo", "cluster/test"])
def test_script_explains_itself(script, tmp_path):
    result = subprocess.run([ROOT / script, "--help"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 0 and f"usage: {script}" in result.stdout
    result = subprocess.run([ROOT / script, "--nonsense"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 2 and f"usage: {script}" in result.stderr


def junit(path, passed: int, failed: int, skipped: int = 0) -> str:
    """A results file as the runners write it."""
    cases = ["<testcase/>"] * passed + ["<testcase><failure/><failure/></testcase>"] * failed
    cases += ["<testcase><skipped/></testcase>"] * skipped
    path.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    return str(path)


@pytest.mark.parametrize(
    ("statuses", "last", "status"),
    [
        ((0, 0), "5 passed, 0 failed", 0),
        ((1, 0), "5 passed, 1 failed", 1),
        ((-11, -9), "5 passed, 2 failed", 1),
    ],
)
def test_sum_and_crashes(tmp_path, statuses, last, status):
    files = [junit(tmp_path / "a.xml", 2, 0, 1), junit(tmp_path / "b.xml", 3, 0)]
    result = run([*COUNT, f"one={statuses[0]}:{files[0]},{tmp_path}/absent.xml", f"two={statuses[1]}:{files[1]}"])
    assert (result.stdout.splitlines()[-1], result.returncode) == (last, status)


def test_failures_are_counted_once_and_named(tmp_path):
    result = run([*COUNT, f"one=1:{junit(tmp_path / 'a.xml', 1, 2)}"])
    assert result.stdout.splitlines()[-1] == "1 passed, 2 failed" and result.returncode == 1


def test_nothing_ran_is_a_failure(tmp_path):
    (tmp_path / "broken.xml").write_text("<testsuites>")
    for argument in ("one=0:", f"one=0:{junit(tmp_path / 'a.xml', 0, 0)}", f"one=0:{tmp_path / 'broken.xml'}"):
        result = run([*COUNT, argument])
        assert result.stdout.splitlines()[-1] == "0 passed, 1 failed" and result.returncode == 1
    assert run(COUNT).returncode == 1


def progress(script: str, *arguments: str) -> str:
    """What a line of bash prints that has the functions of progress.sh."""
    source = f"set -eu; source '{ROOT}/cluster/lib/progress.sh'; {script}"
    result = run(["bash", "-c", source, "bash", *arguments])
    assert result.returncode == 0, result.stderr
    return result.stdout


def build_log(path: Path, modules: list[str], first: int = 59) -> str:
    """SwiftPM's output after these modules are compiled."""
    lines = ["Fetching https://example.org/one", "[1/1] Compiling plugin GenerateManual", "Building for production..."]
    lines += [f"[2/{first}] Write sources", f"[20/{first}] Compiling writer.c"]
    lines += [f"[{21 + index}/{first + index}] Compiling {name} File.swift" for index, name in enumerate(modules)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_progress_of_a_build(tmp_path):
    def describe(seconds: int, *log) -> str:
        path = build_log(tmp_path / "log", *log)
        return progress('describe_build "$1" "$2" 31', path, str(seconds))

    assert describe(20, []) == "building: step 20 of 90"
    # The first modules say nothing about the rest.
    assert describe(30, ["A", "B"]) == "building: step 22 of 89 (B)"
    assert describe(60, ["A"] * 10) == "building: step 30 of 89 (A), about 2 min left"
    assert describe(90, ["A"] * 30) == "building: step 50 of 89 (A), about 3 s left"
    assert describe(92, ["A"] * 31) == "building: step 51 of 89, 92 s so far"
    # Only what has changed: nobody knows how much that is.
    assert describe(7, ["A", "B"], 8) == "building: step 22 of 9, 7 s so far"


def test_progress_before_a_build(tmp_path):
    log = tmp_path / "log"
    log.write_text("")
    assert "looking for what has changed, 3 s so far" in progress('describe_build "$1" 3 31', str(log))
    log.write_text("Fetching https://example.org/one from cache\n")
    assert "fetching what it depends on" in progress('describe_build "$1" 3 31', str(log))


def test_progress_of_packages(tmp_path):
    log = tmp_path / "log"
    log.write_text("Reading package lists...\n")
    assert progress('describe_packages "$1" 0', str(log)) == "system packages: 0 %"
    log.write_text("dlstatus:1:20.0:Retrieving file 1 of 5\ndlstatus:2:80.0:Retrieving file 4 of 5\n")
    assert progress('describe_packages "$1" 8', str(log)) == "system packages: 40 %, about 12 s left"
    log.write_text(log.read_text() + "Unpacking a\npmstatus:a:50.0:Unpacking a\n")
    assert progress('describe_packages "$1" 30', str(log)) == "system packages: 75 %, about 10 s left"


def test_durations():
    seconds = "0 119 120 7199 7200 100000"
    assert progress(f"for each in {seconds}; do duration $each; echo; done").splitlines() == [
        "0 s", "119 s", "2 min", "120 min", "2 h", "28 h"
    ]


def test_progress_is_a_line_now_and_then_or_one_that_is_written_over(tmp_path):
    script = "progress one; progress two; SECONDS=$((SECONDS + 15)); progress three; progress_end; echo end"
    assert progress(script).splitlines() == ["   one", "   three", "end"]
    terminal = Terminal(["bash", "-c", f"source '{ROOT}/cluster/lib/progress.sh'; {script}"], tmp_path)
    try:
        assert terminal.wait() == 0
        terminal.wait_for("end")
    finally:
        terminal.end()
    assert terminal.raw.split("\r\x1b[K") == ["", "   one", "   two", "   three", "end\r\n"]


@pytest.fixture
def demo(tmp_path):
    """Runs the demo in a tree where everything is built: `demo("--once")`."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "cluster" / "lib", tree / "cluster" / "lib")
    shutil.copy(ROOT / "cluster" / "demo", tree / "cluster" / "demo")
    (tree / "Sources").mkdir()
    (tree / ".build").mkdir()
    (tree / ".build" / "release").symlink_to(Path(executable("clusterctl")).parent.resolve())
    tools = tmp_path / "tools"
    tools.mkdir()
    swift = tools / "swift"

    def start(*options: str, build: str = "echo '[1/1] Planning'") -> subprocess.CompletedProcess:
        swift.write_text(f"#!/bin/sh\n[ $1 = build ] || exec echo 'Swift version 6.3'\n{build}\n")
        swift.chmod(0o755)
        return subprocess.run(
            [tree / "cluster" / "demo", *options], capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
        )

    start.bundled_model = tree / "cluster" / "models" / "antling"
    return start


def test_demo(demo):
    demo.bundled_model.parent.mkdir()
    demo.bundled_model.symlink_to(ROOT / "cluster" / "models" / "antling")
    result = demo("--once", "--listen", "127.0.0.1:0")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "347 + 285 = 632" in result.stdout
    questions = ["> What is 347 + 285?", "> Sort 42, 7, 19 and 88.", "> What does a worker do?"]
    told = ["ready after", *questions, "logprobs are the same with 0 and with 3 workers", "worker-3", "Ready at http"]
    positions = [result.stdout.find(text) for text in told]
    assert -1 not in positions and positions == sorted(positions), result.stdout
    assert result.stdout.count("first after") == 3
    assert result.stdout.rstrip().endswith("no process is left")


def test_demo_with_a_wrong_answer_of_the_bundled_model(demo):
    demo.bundled_model.parent.mkdir()
    checkpoints.copy(demo.bundled_model)
    result = demo("--once", "--listen", "127.0.0.1:0")
    assert result.returncode == 1 and "the answer is wrong: it has no 632 in it" in result.stderr


def test_demo_says_what_is_missing(demo):
    result = demo("--once")
    assert result.returncode == 1 and "there is no model in" in result.stderr
    result = demo("--once", "--model", str(checkpoints.DEFAULT), build="echo 'a.swift:1: error: this is it'; exit 1")
    assert result.returncode == 1 and "error: this is it" in result.stderr and "the build failed" in result.stderr


def test_demo_on_a_port_that_is_taken(demo, cluster):
    listen = cluster.url.removeprefix("http://")
    result = demo("--once", "--model", str(checkpoints.DEFAULT), "--listen", listen)
    assert result.returncode == 1 and "the cluster did not start" in result.stderr
    assert "--listen 127.0.0.1:0 takes a port that is free" in result.stdout
