"""Adds up what test runners wrote as JUnit XML, and prints one summary.

    count_tests.py SUMMARY=EXIT_STATUS:FILE[,FILE…] …

Each argument is one runner: its name, the status it ended with, and the files it should have written. The last line
printed is `N passed, N failed`. A runner that ended badly without a failed test (it crashed, or never began) counts as
one failure; so does one that ran nothing. Exit status 0 only if something passed and nothing failed.
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def count(path: str) -> tuple[int, list[str], int]:
    """How many tests of one file passed, the names of those that failed, how many were skipped."""
    passed, failed, skipped = 0, [], 0
    for case in ElementTree.parse(path).iter("testcase"):
        # pytest reports an error of a fixture's clean-up as a case of its own; both count once each.
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{case.get('classname')}.{case.get('name')}")
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def count_runner(name: str, status: int, paths: list[str]) -> tuple[int, list[str], int]:
    """The sum over the files of one runner, with its exit status held against them."""
    passed, failed, skipped = 0, [], 0
    for path in paths:
        if not Path(path).is_file():
            continue
        try:
            counts = count(path)
        except ElementTree.ParseError as error:
            failed.append(f"{name}: {Path(path).name} is not XML: {error}")
            continue
        passed, failed, skipped = passed + counts[0], failed + counts[1], skipped + counts[2]
    if status != 0 and not failed:
        failed.append(f"{name}: ended with status {status} without naming a failed test")
    if passed + len(failed) + skipped == 0:
        failed.append(f"{name}: no test ran")
    return passed, failed, skipped


def main(arguments: list[str]) -> int:
    """Prints the summary of all runners."""
    passed_sum, failed_names = 0, []
    for argument in arguments:
        name, rest = argument.split("=", 1)
        status, paths = rest.split(":", 1)
        passed, failed, skipped = count_runner(name, int(status), [path for path in paths.split(",") if path])
        passed_sum += passed
        failed_names += failed
        print(f"   {name}: {passed} passed, {len(failed)} failed" + (f", {skipped} skipped" if skipped else ""))
    for name in failed_names:
        print(f"   FAILED {name}")
    if not passed_sum and not failed_names:
        failed_names.append("no test ran")
    print(f"{passed_sum} passed, {len(failed_names)} failed")
    return 1 if failed_names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
