#!/usr/bin/env python3
"""Asks two running gateways the questions of score.py and tells where their greedy answers differ, and how narrowly.

    compare.py http://127.0.0.1:8080 http://127.0.0.1:8081 [--count 200] [--output differences.json]

For each answer that differs it shows the first token that does, and the margin: by how much the chosen token's
logprob is above the other one's at either gateway. A narrow margin is a question of rounding; a wide one is not.
"""

import argparse
import json
import math
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import score

ALTERNATIVES = 20


@dataclass(frozen=True)
class Difference:
    """A question that two gateways answer differently."""

    task: str
    question: str
    answers: tuple[str, str]
    tokens: tuple[str, str]
    """The first tokens that differ."""
    margins: tuple[float, float]
    """By how much each gateway prefers its own token; infinite where the other's is not among the likeliest."""
    rights: tuple[bool, bool]
    """Whether each answer is right."""


def scored_answer(url: str, question: str) -> list[dict]:
    """The tokens of a greedy answer, each with the likeliest at its place."""
    body = {
        "model": "default", "temperature": 0, "max_tokens": score.ANSWER_TOKENS_MAX, "logprobs": True,
        "top_logprobs": ALTERNATIVES, "messages": [{"role": "user", "content": question}],
    }
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=score.TIMEOUT_SECONDS) as response:
        return json.load(response)["choices"][0]["logprobs"]["content"]


def margin(place: dict, other: str) -> float:
    """How much likelier a token was than another at its place, in logprob."""
    logprobs = {entry["token"]: entry["logprob"] for entry in place["top_logprobs"]}
    return place["logprob"] - logprobs.get(other, -math.inf)


def explain(urls: tuple[str, str], one: score.Answered, other: score.Answered) -> Difference:
    """Finds where two answers part."""
    left, right = (scored_answer(url, one.item.question) for url in urls)
    places = next(
        ((mine, its) for mine, its in zip(left, right) if mine["token"] != its["token"]), (left[-1], right[-1]))
    tokens = (places[0]["token"], places[1]["token"])
    return Difference(
        one.item.task, one.item.question, (one.text, other.text), tokens,
        (margin(places[0], tokens[1]), margin(places[1], tokens[0])), (one.is_right, other.is_right))


def differences(urls: tuple[str, str], asked: dict[str, list]) -> dict[str, list[Difference]]:
    """What differs, task by task."""
    with ThreadPoolExecutor(len(urls)) as pool:
        of_left, of_right = pool.map(lambda url: dict(score.answers(url, asked)), urls)
    return {
        name: [explain(urls, *pair) for pair in zip(of_left[name], of_right[name]) if pair[0].text != pair[1].text]
        for name in asked
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Compares the greedy answers of two gateways.")
    parser.add_argument("urls", nargs=2, metavar="URL", help="a gateway")
    parser.add_argument("--count", type=int, default=200, help="questions per task (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which questions (default %(default)s)")
    parser.add_argument("--output", type=Path, help="where to write the differences as JSON")
    arguments = parser.parse_args()
    asked = score.questions(arguments.count, arguments.seed)
    found = differences(tuple(arguments.urls), asked)
    for name, items in asked.items():
        print(f"{name:16} {len(found[name]):4} of {len(items)} differ")
        for each in found[name]:
            margins = ", ".join(f"{value:.4f}" for value in each.margins)
            print(f"    {each.question}\n      {each.answers[0]!r}\n      {each.answers[1]!r}\n      margins {margins}")
    if arguments.output:
        everything = [asdict(each) for of_task in found.values() for each in of_task]
        arguments.output.write_text(json.dumps(everything, indent=1) + "\n")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
