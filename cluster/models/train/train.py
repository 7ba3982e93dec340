#!/usr/bin/env python3
"""Trains the bundled model, from nothing, on this machine.

    train.py [--work DIRECTORY] [--steps N] [--device cpu] [--start-from MODEL] [--force]

Everything is made here: questions with answers (`corpus/`), the tokenizer, the weights. A run that was interrupted goes
on from its last checkpoint; `--force` starts anew. Then `export.py` writes the model directory.
"""

import argparse
import json
import os
import random
import shutil
import sys
import time
from pathlib import Path

# Threads wait for each other for a moment and then sleep: forever would stall them where anything else runs.
os.environ.setdefault("GOMP_SPINCOUNT", "100000")

import torch
from tokenizers import Tokenizer
from torch.nn import functional

import tokenizer as tokenizers_training
import weights
from batches import Conversations
from evaluation import held_out_questions, scores
from muon import Muon
from network import Network, Shape

SEED = 20261123
TOKENS_PER_STEP = 8192
MATRIX_RATE = 0.02
OTHER_RATE = 3e-3
WARM_UP_STEPS = 50
# The rates fall to zero over the last part of the steps.
DECAY_SHARE = 0.4
UNEVENNESS_WEIGHT = 0.01
STEPS_PER_CHECKPOINT = 100
STEPS_PER_EVALUATION = 200


class Training:
    """A network with its optimisers, at a step; all of it can be saved and resumed."""

    def __init__(self, work: Path, step_count: int, device: str, model: Path | None):
        self.work, self.step_count, self.device = work, step_count, device
        tokenizer_path = work / "tokenizer.json"
        if model:
            shutil.copyfile(model / "tokenizer.json", tokenizer_path)
        if not tokenizer_path.exists():
            tokenizers_training.train(Shape().vocab_size, SEED).save(str(tokenizer_path))
        self.conversations = Conversations(
            Tokenizer.from_file(str(tokenizer_path)), Shape().max_position_embeddings)
        torch.manual_seed(SEED)
        self.network = Network(Shape()).to(device)
        matrices, others = [], []
        for name, parameter in self.network.named_parameters():
            is_matrix = parameter.dim() >= 2 and "embedding" not in name and "router" not in name
            (matrices if is_matrix else others).append(parameter)
        self.optimizers = [
            Muon(matrices, lr=MATRIX_RATE), torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0),
        ]
        self.step = 0
        self.history: list[dict] = []

    def start_from(self, model: Path):
        """Begins with the weights of a model that `export.py` wrote, instead of random ones."""
        weights.read(self.network, model / "model.safetensors")

    @property
    def checkpoint_path(self) -> Path:
        return self.work / "checkpoint.pt"

    def save(self):
        temporary = self.checkpoint_path.with_suffix(".new")
        torch.save({
            "step": self.step, "network": self.network.state_dict(), "history": self.history,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }, temporary)
        temporary.replace(self.checkpoint_path)
        (self.work / "history.json").write_text(json.dumps(self.history, indent=1))

    def resume(self):
        saved = torch.load(self.checkpoint_path, map_location=self.device)
        self.step, self.history = saved["step"], saved["history"]
        self.network.load_state_dict(saved["network"])
        for optimizer, state in zip(self.optimizers, saved["optimizers"]):
            optimizer.load_state_dict(state)

    def rate(self) -> float:
        """The share of the full learning rates at this step."""
        remaining = (self.step_count - self.step) / (self.step_count * DECAY_SHARE)
        return min(1.0, (self.step + 1) / WARM_UP_STEPS, remaining)

    def take_step(self) -> float:
        """One step; the questions depend on nothing but its number. Returns the loss."""
        batch = self.conversations.batch(TOKENS_PER_STEP, random.Random(f"{SEED}:{self.step}")).to(self.device)
        for optimizer, full in zip(self.optimizers, (MATRIX_RATE, OTHER_RATE)):
            optimizer.param_groups[0]["lr"] = full * self.rate()
            optimizer.zero_grad()
        logits, unevenness = self.network(batch)
        loss = functional.cross_entropy(logits, batch.targets)
        (loss + UNEVENNESS_WEIGHT * unevenness).backward()
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        return loss.item()

    def run(self):
        questions = held_out_questions(count=64, seed=1)
        losses: list[float] = []
        start, start_step = time.monotonic(), self.step
        while self.step < self.step_count:
            losses.append(self.take_step())
            is_last = self.step == self.step_count
            if self.step % 20 == 0 or is_last:
                seconds = (time.monotonic() - start) / (self.step - start_step)
                loss, losses = sum(losses) / len(losses), []
                self.history.append({"step": self.step, "loss": round(loss, 4)})
                print(f"step {self.step}/{self.step_count}  loss {loss:.4f}  {seconds:.2f} s/step  "
                      f"{seconds * (self.step_count - self.step) / 60:.0f} min left", flush=True)
            if self.step % STEPS_PER_EVALUATION == 0 or is_last:
                self.evaluate(questions)
            if self.step % STEPS_PER_CHECKPOINT == 0 or is_last:
                self.save()

    def evaluate(self, questions: dict):
        measured = scores(self.network, self.conversations, questions)
        self.history.append({"step": self.step, "scores": measured})
        print("  held out: " + "  ".join(f"{name} {share:.0%}" for name, share in measured.items()), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Trains the bundled model.")
    root = Path(__file__).resolve().parents[3]
    parser.add_argument("--work", type=Path, default=root / ".build-train", help="checkpoints (default %(default)s)")
    parser.add_argument("--steps", type=int, default=4200, help="training steps (default %(default)s)")
    parser.add_argument("--device", default="cpu", help="a device of PyTorch (default %(default)s)")
    parser.add_argument("--start-from", type=Path, help="a model directory whose weights and tokenizer to begin with")
    parser.add_argument("--force", action="store_true", help="start anew where a finished run lies")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    training = Training(arguments.work, arguments.steps, arguments.device, arguments.start_from)
    if training.checkpoint_path.exists() and not arguments.force:
        training.resume()
        if training.step >= arguments.steps:
            print(f"{arguments.work} holds a finished run of {training.step} steps; --force starts anew", file=sys.stderr)
            return 1
        print(f"going on from step {training.step}", flush=True)
    elif arguments.start_from:
        training.start_from(arguments.start_from)
    training.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
