#!/usr/bin/env python3
"""Asks a running gateway the questions that the model has never seen, and counts the answers that are exact.

    score.py [--url http://127.0.0.1:8080] [--count 200] [--output scores.json]

Needs nothing but Python. The questions are the same in each call; seeds other than the default give others.
"""

import argparse
import json
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from corpus.item import Item
from corpus.stories import is_coherent
from corpus.tasks import TASKS, held_out_items

BAR = 0.95
PARALLEL_REQUESTS = 16
ANSWER_TOKENS_MAX = 200
TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Answered:
    """A question with what came back."""

    item: Item
    text: str

    @property
    def is_right(self) -> bool:
        """Word for word, for a task with one right answer; a story has to be one, with all three words in it."""
        return is_coherent(self.item, self.text) if self.item.task == "story" else self.text == self.item.answer


def ask(url: str, question: str) -> str:
    """The greedy answer to one question."""
    body = {
        "model": "default", "temperature": 0, "max_tokens": ANSWER_TOKENS_MAX,
        "messages": [{"role": "user", "content": question}],
    }
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        return json.load(response)["choices"][0]["message"]["content"]


def questions(count: int, seed: int) -> dict[str, list[Item]]:
    """Held-out questions by task; stories too, though their answers are judged and not compared."""
    return {task.name: held_out_items(task, count, seed) for task in TASKS if task.is_checkable or task.name == "story"}


def answers(url: str, asked: dict[str, list[Item]]) -> Iterator[tuple[str, list[Answered]]]:
    """Task by task, as they are done."""
    with ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
        for name, items in asked.items():
            texts = pool.map(lambda item: ask(url, item.question), items)
            yield name, [Answered(item, text) for item, text in zip(items, texts)]


def main() -> int:
    parser = argparse.ArgumentParser(description="Scores the bundled model on held-out questions, through a gateway.")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the gateway (default %(default)s)")
    parser.add_argument("--count", type=int, default=200, help="questions per task (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which questions (default %(default)s)")
    parser.add_argument("--output", type=Path, help="where to write the scores as JSON")
    parser.add_argument("--show-wrong", type=int, default=2, help="wrong answers to print (default %(default)s)")
    arguments = parser.parse_args()
    shares = {}
    for name, answered in answers(arguments.url, questions(arguments.count, arguments.seed)):
        wrong = [each for each in answered if not each.is_right]
        shares[name] = 1 - len(wrong) / len(answered)
        print(f"{name:16} {shares[name]:7.2%}  of {len(answered)}", flush=True)
        for each in wrong[:arguments.show_wrong]:
            print(f"    {each.item.question}\n      is      {each.text!r}\n      not     {each.item.answer!r}")
    if arguments.output:
        rounded = {name: round(share, 4) for name, share in shares.items()}
        arguments.output.write_text(json.dumps(rounded, indent=1) + "\n")
    below = [name for name, share in shares.items() if share < BAR]
    print(f"below {BAR:.0%}: {', '.join(below)}" if below else f"every task is at or above {BAR:.0%}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
