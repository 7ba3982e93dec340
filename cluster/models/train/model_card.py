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
    card = (Path(__file__).parent / "card.md").read_text().format(
        shape=Shape(), question_count=arguments.questions,
        million_parameters=sum(parameter.numel() for parameter in Network(Shape()).parameters()) / 1e6,
        megabytes=(arguments.model / "model.safetensors").stat().st_size / 1e6,
        scores=score_rows(json.loads(arguments.scores.read_text())),
        steps=history[-1]["step"], tokens_per_step=TOKENS_PER_STEP, matrix_rate=MATRIX_RATE, other_rate=OTHER_RATE,
        decay_share=DECAY_SHARE, seed=SEED)
    (arguments.model / "README.md").write_text(card)
    return 0


if __name__ == "__main__":
    sys.exit(main())
