"""The promise: tokens and logprobs do not depend on how the cluster is cut, nor on what else it does. Bit for bit."""

import concurrent.futures
import re
from pathlib import Path

import pytest

from support import checkpoints
from support.cluster import Cluster

COMMON = {"echo": True, "logprobs": 5, "return_tokens_as_token_ids": True, "ignore_eos": True, "max_tokens": 20}

REQUESTS = [
    {"prompt": checkpoints.prompt_ids(33), "temperature": 0},
    {"prompt": checkpoints.prompt_ids(1), "temperature": 0},
    {"prompt": checkpoints.prompt_ids(150), "temperature": 0, "logprobs": 20},
    {"prompt": "the gateway sends each token to an expert", "temperature": 0, "repetition_penalty": 1.3},
    {"prompt": checkpoints.prompt_ids(7), "temperature": 0.9, "top_p": 0.8, "top_k": 0, "seed": 7},
    {"prompt": checkpoints.prompt_ids(20), "temperature": 1.4, "top_k": 12, "min_p": 0.02, "seed": 11},
    {"prompt": checkpoints.prompt_ids(64), "temperature": 1.0, "top_k": 0, "seed": 13, "n": 2},
    {"prompt": checkpoints.prompt_ids(17), "temperature": 0.7, "seed": 5, "presence_penalty": 0.5},
]


def answer(cluster: Cluster, request: dict) -> list:
    """The choices of one request: text, token ids, logprobs."""
    return cluster.complete(**{**COMMON, **request})["choices"]


def answers_alone(cluster: Cluster) -> list[list]:
    """All requests, one after the other."""
    return [answer(cluster, request) for request in REQUESTS]


def answers_together(cluster: Cluster) -> list[list]:
    """All requests at once."""
    with concurrent.futures.ThreadPoolExecutor(len(REQUESTS)) as pool:
        return list(pool.map(lambda request: answer(cluster, request), REQUESTS))


def assert_same(found: list[list], expected: list[list]) -> None:
    """Names the first request and the first field that differ."""
    for number, (left, right) in enumerate(zip(found, expected, strict=True)):
        for one, other in zip(left, right, strict=True):
            assert one["logprobs"]["tokens"] == other["logprobs"]["tokens"], f"request {number}: other tokens"
            assert one["logprobs"] == other["logprobs"], f"request {number}: same tokens, other logprobs"
            assert one == other, f"request {number}"


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The answers of the single-process mode, one request at a time."""
    cluster = Cluster(checkpoints.DEFAULT, tmp_path_factory.mktemp("reference") / "state", workers=0)
    try:
        answers = answers_alone(cluster.wait_until_ready())
        assert_same(answers_together(cluster), answers)
        assert cluster.stop() == 0, cluster.process.transcript()
        yield answers
    finally:
        cluster.end()


def test_the_comparison_can_fail(reference):
    """Logprobs are compared as text: the last digit counts."""
    logprobs = [value for value in reference[0][0]["logprobs"]["token_logprobs"] if value is not None]
    assert all(re.fullmatch(r"number -?\d+\.\d+(e-?\d+)?", value) for value in logprobs), logprobs
    assert len({str(choices) for choices in reference}) == len(REQUESTS)


@pytest.mark.parametrize("workers", [1, 3, 5])
def test_any_number_of_workers(reference, start_cluster, workers):
    cluster = start_cluster(workers=workers)
    assert_same(answers_alone(cluster), reference)
    assert_same(answers_together(cluster), reference)


def supported_instruction_sets() -> list[str]:
    """What this processor has, as `--worker-isa` names it."""
    text = Path("/proc/cpuinfo").read_text()
    flags = set(text.split("flags", 1)[-1].split("\n", 1)[0].split())
    sets = ["generic"]
    sets += ["avx2"] if {"avx2", "fma", "f16c"} <= flags else []
    sets += ["avx512"] if {"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= flags else []
    return sets


def test_any_instruction_set(reference, start_cluster):
    sets = supported_instruction_sets()
    if len(sets) == 1:
        pytest.skip("this processor has only the generic kernels")
    cluster = start_cluster(workers=3, options=["--worker-isa", ",".join((sets * 3)[:3])])
    found = {node["name"]: node["instructionSet"] for node in cluster.status()["nodes"] if node["role"] == "worker"}
    assert sorted(found.values()) == sorted((sets * 3)[:3])
    assert_same(answers_alone(cluster), reference)
    assert_same(answers_together(cluster), reference)


def test_every_model_is_cut_exactly(start_cluster):
    """Every fixture: dense layers, fused experts, attention biases, scaled positions."""
    for checkpoint in checkpoints.all_checkpoints():
        answers = []
        for workers in (0, 2):
            cluster = start_cluster(model=checkpoint, workers=workers)
            answers.append([answer(cluster, request) for request in REQUESTS[::3]])
            assert cluster.stop() == 0
        assert_same(answers[1], answers[0])
