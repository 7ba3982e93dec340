"""The answers of the family's own implementation, computed in float32 from the same weights."""

import json
import math

import pytest

from support import checkpoints
from support.cluster import EXACT

# Two correct engines differ by the order of their sums, and by no more than this.
TOLERANCE = 0.002

# What rounding activations to 8-bit integers, and keys and values to half precision, may cost at most: the mean
# Kullback-Leibler divergence over what is compared, and a greedy token where the best two logits are so close.
DIVERGENCE_MAX = 5e-3
MARGIN_ROUNDED = 0.5


def scored(cluster, answer: dict) -> dict:
    """What the cluster says to a golden prompt: its own greedy continuation, with logprobs of everything."""
    body = {
        "prompt": answer["prompt"], "max_tokens": len(answer["greedy"]), "temperature": 0, "echo": True, "logprobs": 20,
        "return_tokens_as_token_ids": True, "ignore_eos": True,
    }
    with cluster.client() as client:
        response = client.post("/v1/completions", json={"model": "default", **body})
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]["logprobs"]


def token_id(name: str) -> int:
    """The id in `token_id:123`."""
    return int(name.removeprefix("token_id:"))


def first_difference(found: list[int], expected: list[int]) -> int:
    """Where two lists of tokens part; their length if they do not."""
    parts = [index for index, (one, other) in enumerate(zip(found, expected)) if one != other]
    return parts[0] if parts else len(expected)


def worst_difference(logprobs: dict, answer: dict, position: int) -> float:
    """The largest difference of any logprob at one position (1 is the second token)."""
    sum_log = answer["log_sum_exp"][position - 1]
    ours = {token_id(name): value for name, value in logprobs["top_logprobs"][position].items()}
    worst = abs(logprobs["token_logprobs"][position] - (answer["token_logits"][position - 1] - sum_log))
    for token, logit in zip(answer["top_ids"][position - 1], answer["top_logits"][position - 1]):
        expected = logit - sum_log
        # The last of the twenty may change places with the twenty-first.
        worst = max(worst, abs(ours[token] - expected) if token in ours else expected - min(ours.values()))
    return worst


def divergence(logprobs: dict, answer: dict, position: int) -> float:
    """Of the reference's predictions from ours, over the tokens that both name."""
    sum_log = answer["log_sum_exp"][position - 1]
    ours = {token_id(name): value for name, value in logprobs["top_logprobs"][position].items()}
    both = zip(answer["top_ids"][position - 1], answer["top_logits"][position - 1])
    return sum(
        math.exp(logit - sum_log) * (logit - sum_log - ours[token]) for token, logit in both if token in ours)


def quantised_checkpoints() -> list:
    """Those whose weights are stored in a form that 8-bit activations may meet."""
    return [
        path for path in checkpoints.all_checkpoints()
        if "quantization_config" in json.loads((path / "config.json").read_text())]


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("checkpoint", checkpoints.all_checkpoints(), ids=lambda path: path.name)
def test_golden_logprobs(start_cluster, checkpoint, workers):
    cluster = start_cluster(model=checkpoint, workers=workers, options=EXACT)
    for answer in checkpoints.golden(checkpoint)["answers"]:
        logprobs = scored(cluster, answer)
        tokens = [token_id(name) for name in logprobs["tokens"]]
        prompt_count = len(answer["prompt"])
        assert tokens[:prompt_count] == answer["prompt"]
        agreed = first_difference(tokens[prompt_count:], answer["greedy"])
        is_tie = agreed < len(answer["greedy"]) and answer["greedy_margins"][agreed] < TOLERANCE
        assert agreed == len(answer["greedy"]) or is_tie, f"prompt of {prompt_count}: parts at token {agreed}"
        differences = [worst_difference(logprobs, answer, position) for position in range(1, prompt_count + agreed)]
        assert max(differences) <= TOLERANCE, f"prompt of {prompt_count}: {max(differences)}"


@pytest.mark.parametrize("checkpoint", quantised_checkpoints(), ids=lambda path: path.name)
def test_rounded_activations_stay_close(start_cluster, checkpoint):
    cluster = start_cluster(model=checkpoint, workers=3)
    divergences = []
    for answer in checkpoints.golden(checkpoint)["answers"]:
        logprobs = scored(cluster, answer)
        tokens = [token_id(name) for name in logprobs["tokens"]]
        prompt_count = len(answer["prompt"])
        agreed = first_difference(tokens[prompt_count:], answer["greedy"])
        if agreed < len(answer["greedy"]):
            assert answer["greedy_margins"][agreed] < MARGIN_ROUNDED, f"prompt of {prompt_count}: parts at {agreed}"
        divergences += [divergence(logprobs, answer, position) for position in range(1, prompt_count + agreed)]
    assert sum(divergences) / len(divergences) <= DIVERGENCE_MAX


def test_there_are_golden_answers():
    assert len(checkpoints.all_checkpoints()) >= 3
