"""What layers that predict further tokens are worth, as `clusterbench prediction` measures it."""

import json

import pytest

from support.processes import ROOT, executable, run

CHECKPOINTS = ROOT / "Tests" / "Fixtures" / "checkpoints"
PREDICTING = ("deepseek_v32_bf16", "deepseek_v3_bf16", "deepseek_v4_bf16", "glm4_moe_bf16", "qwen3_5_moe_bf16")


def measure(name: str, texts: list[list[int]], *options: str):
    """One run of the command; its result is not checked."""
    command = [executable("clusterbench"), "prediction", "--model", str(CHECKPOINTS / name), "--threads", "1"]
    return run([*command, *options], text="\n".join(map(json.dumps, texts)))


def report(name: str, texts: list[list[int]], *options: str) -> dict:
    result = measure(name, texts, "--json", *options)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def golden_texts(name: str) -> tuple[list[list[int]], int, int]:
    """Texts of the golden answers, and by these the places where both layer and model say something of the same token,
    and at how many of them they find the same one likeliest."""
    answers = json.loads((CHECKPOINTS / name / "golden.json").read_text())["answers"]
    pairs = [
        (best, top[0]) for answer in answers
        for best, top in zip(answer["prediction"]["best_ids"], answer["top_ids"][1:], strict=True)]
    texts = [answer["prompt"] + answer["greedy"] for answer in answers]
    return texts, len(pairs), sum(predicted == own for predicted, own in pairs)


@pytest.mark.parametrize("name", PREDICTING)
def test_counts_are_those_of_the_reference(name):
    texts, positions, same = golden_texts(name)
    found = report(name, texts, "--activations", "f32")
    assert found["texts"] == len(texts) and found["tokens"] == sum(map(len, texts))
    assert len(found["layers"]) == 1
    layer = found["layers"][0]
    assert (layer["layer"], layer["positions"], layer["sameBest"]) == (1, positions, same)
    assert 0 < layer["overlap"] < 1
    assert found["weightBytes"] > 10_000
    assert 0 < found["millisecondsPerStep"] < found["millisecondsPerStepWithPredictions"]


def test_on_what_the_model_goes_on_with():
    """Greedy continuations are those of the golden answers, so that the layers say the same of them."""
    name = "deepseek_v4_bf16"
    answers = json.loads((CHECKPOINTS / name / "golden.json").read_text())["answers"]
    prompts, count = [answer["prompt"] for answer in answers], len(answers[0]["greedy"])
    found = report(name, prompts, "--generate", str(count), "--activations", "f32")["layers"][0]
    pairs = [
        (answer["prediction"]["best_ids"][own - 1], answer["top_ids"][own][0]) for answer in answers
        for own in range(max(1, len(answer["prompt"]) - 1), len(answer["prompt"]) + count)]
    assert found["positions"] == len(pairs)
    assert found["sameBest"] == sum(predicted == own for predicted, own in pairs)


def test_lines_for_people():
    result = measure("glm4_moe_bf16", [[5, 6, 7, 8]])
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert "prediction layer 1" in lines[0] and "of 3 positions" in lines[0]
    assert "weights of the prediction layers" in lines[1] and "a step of one token" in lines[2]


def test_what_cannot_be_measured_is_refused():
    without = measure("qwen3_moe_bf16", [[5, 6, 7]])
    assert without.returncode != 0
    assert "no layer that predicts further tokens (the family is qwen3_moe)" in without.stderr
    assert all(family in without.stderr for family in ("deepseek_v3", "deepseek_v4", "glm4_moe", "qwen3_5_moe"))
    assert "0 to 319" in measure("glm4_moe_bf16", [[320]]).stderr
    assert "more than the model's, 512" in measure("glm4_moe_bf16", [[5] * 500], "--generate", "20").stderr
    assert "generate is from 0 to 4096" in measure("glm4_moe_bf16", [[5]], "--generate", "5000").stderr
