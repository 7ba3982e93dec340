#!/usr/bin/env python3
"""Writes the model card: what the model is, how it was trained, what it scores.

    model_card.py --model DIRECTORY --scores scores.json [--work DIRECTORY]
"""

import argparse
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

from corpus.tasks import TASKS, held_out_items
from network import Network, Shape
from train import DECAY_SHARE, MATRIX_RATE, OTHER_RATE, SEED, TOKENS_PER_STEP

# The same picture in each run, without a date in it.
matplotlib.rcParams.update({"svg.hashsalt": "antling", "svg.fonttype": "none", "font.family": "sans-serif"})

CARD = """\
---
license: cc0-1.0
library_name: transformers
pipeline_tag: text-generation
---
# {title}

A Mixture-of-Experts chat model of {million_parameters:.1f} million parameters that comes with Colony, so that a whole
cluster can be tried offline, with answers that can be checked. It knows a handful of things well and says so when it is
asked for others. It is not a small version of a large model: do not ask it about the world.

| | |
|---|---|
| family | Qwen3-MoE (`Qwen3MoeForCausalLM`), loads in transformers too |
| layers, hidden size | {shape.num_hidden_layers}, {shape.hidden_size} |
| experts per layer | {shape.num_experts}, of which each token visits {shape.num_experts_per_tok}; inner size {shape.moe_intermediate_size} |
| attention | {shape.num_attention_heads} heads, {shape.num_key_value_heads} of keys and values, {shape.head_dim} each |
| vocabulary | {shape.vocab_size}, byte-level BPE |
| context | {shape.max_position_embeddings:,} tokens; trained on conversations of up to 256, with gaps between turns up to that distance |
| weights | bfloat16, {megabytes:.1f} MB |

## What it can do

Share of held-out questions that are answered exactly, character for character, at temperature 0, measured through the
gateway with 3 workers by `cluster/models/train/score.py` ({question_count} questions per task). A tenth of all questions
that a task can ask is never trained on; which, a checksum decides.

| task | exact | for example | answer |
|---|---|---|---|
{scores}

A story counts if it is one: a beginning, an event and an ending that belong together, with all three words.

## Data

Made by `cluster/models/train/corpus/`, from nothing but what stands there: no text of others. Questions are worded in
several ways and typed in several manners; answers of more than one step show the steps. {conversations}

## Training

{steps:,} steps of {tokens_per_step:,} tokens on 2 processor cores. Muon for the matrices (rate {matrix_rate}), AdamW for
the rest (rate {other_rate}), constant and then falling to zero over the last {decay_share:.0%} of the steps; seed {seed}.

![Loss and exact answers over the steps](training.svg)

To make it again, see `cluster/models/train/README.md`.

## Licence

Like the rest of the repository it is our own work. Weights and tokenizer may be used by anyone for anything (CC0 1.0).
"""
CONVERSATIONS = """\
A conversation has one turn mostly, and sometimes up to five; the loss counts answers only."""


def example(task) -> tuple[str, str]:
    """A held-out question of a task, short enough for a table."""
    items = held_out_items(task, 30, seed=0)
    made = min(items, key=lambda item: abs(len(item.question) - 30) + len(item.answer))
    return made.question, made.answer


def score_rows(scores: dict[str, float]) -> str:
    rows = []
    for task in TASKS:
        if task.name in scores:
            question, answer = example(task)
            rows.append(f"| {task.name} | {scores[task.name]:.1%} | {question} | {answer} |")
    return "\n".join(rows)


def draw(history: list[dict], path: Path):
    """The loss, and under it the mean of the exact shares, over the steps."""
    losses = [(entry["step"], entry["loss"]) for entry in history if "loss" in entry]
    exact = [(entry["step"], entry["scores"]) for entry in history if "scores" in entry]
    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(8, 6), sharex=True, layout="constrained")
    upper.plot(*zip(*losses), color="#1f6f8b", linewidth=1.2)
    upper.set(yscale="log", ylabel="loss per answer token", title="Antling: training")
    for name in exact[-1][1]:
        lower.plot([step for step, _ in exact], [100 * scores[name] for _, scores in exact], linewidth=1, label=name)
    lower.axhline(95, color="black", linewidth=0.6, linestyle=":")
    lower.set(xlabel="step", ylabel="held-out exact, %", ylim=(0, 102))
    lower.legend(fontsize=7, ncols=2, loc="lower right")
    for axes in (upper, lower):
        axes.grid(alpha=0.25)
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes the card of the bundled model.")
    root = Path(__file__).resolve().parents[3]
    parser.add_argument("--model", type=Path, required=True, help="the model directory, with its weights")
    parser.add_argument("--scores", type=Path, required=True, help="what score.py wrote")
    parser.add_argument("--questions", type=int, default=200, help="how many per task it asked (default %(default)s)")
    parser.add_argument("--work", type=Path, default=root / ".build-train", help="checkpoints (default %(default)s)")
    arguments = parser.parse_args()
    history = json.loads((arguments.work / "history.json").read_text())
    draw(history, arguments.model / "training.svg")
    card = CARD.format(
        title="Antling", shape=Shape(), question_count=arguments.questions,
        million_parameters=sum(parameter.numel() for parameter in Network(Shape()).parameters()) / 1e6,
        megabytes=(arguments.model / "model.safetensors").stat().st_size / 1e6,
        scores=score_rows(json.loads(arguments.scores.read_text())), conversations=CONVERSATIONS,
        steps=history[-1]["step"], tokens_per_step=TOKENS_PER_STEP, matrix_rate=MATRIX_RATE, other_rate=OTHER_RATE,
        decay_share=DECAY_SHARE, seed=SEED)
    (arguments.model / "README.md").write_text(card)
    return 0


if __name__ == "__main__":
    sys.exit(main())
