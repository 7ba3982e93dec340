"""The scripts around the cluster: they parse, they explain themselves, and they count right."""

import subprocess
import sys

import pytest

from support.processes import ROOT, run

SCRIPTS = [
    ".ci/run",
    "Tests/Fuzz/run",
    "cluster/demo",
    "cluster/test",
    "cluster/lib/common.sh",
    "cluster/lib/setup.sh",
]
COUNT = [sys.executable, str(ROOT / "cluster" / "lib" / "count_tests.py")]


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_parses(script):
    assert run(["bash", "-n", str(ROOT / script)]).returncode == 0


@pytest.mark.parametrize("script", ["Tests/Fuzz/run", "cluster/demo", "cluster/test"])
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
