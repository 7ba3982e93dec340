"""All tasks: how often each is trained, and which answers can be checked word for word."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from corpus.arithmetic import addition, multiplication, subtraction
from corpus.calendars import calendar, order
from corpus.colony import colony
from corpus.item import Item
from corpus.numbers import comparison, extreme, sorting
from corpus.objects import json_object
from corpus.stories import story
from corpus.talk import talk
from corpus.units import conversion
from corpus.words import length, occurrences, reversal, spelling


@dataclass(frozen=True)
class Task:
    name: str
    make: Callable[[random.Random], Item]
    # Share of the training questions.
    weight: int
    # Whether there is one right answer, and questions are held out to check it.
    is_checkable: bool = True


TASKS = [
    Task("addition", addition, 10), Task("subtraction", subtraction, 48), Task("multiplication", multiplication, 5),
    Task("comparison", comparison, 14), Task("sorting", sorting, 18), Task("extreme", extreme, 6),
    Task("spelling", spelling, 5), Task("reversal", reversal, 5), Task("length", length, 6),
    Task("occurrences", occurrences, 14), Task("calendar", calendar, 7), Task("order", order, 1, is_checkable=False),
    Task("conversion", conversion, 7), Task("colony", colony, 5), Task("json", json_object, 7),
    Task("story", story, 3, is_checkable=False), Task("talk", talk, 2, is_checkable=False),
]


def training_item(generator: random.Random) -> Item:
    """A question that may be trained on: never one that is held out."""
    while True:
        task = generator.choices(TASKS, weights=[task.weight for task in TASKS])[0]
        made = task.make(generator)
        if not made.is_held_out:
            return made


def held_out_items(task: Task, count: int, seed: int) -> list[Item]:
    """Different questions of one task that no training has seen."""
    generator = random.Random(f"held out:{seed}:{task.name}")
    found: dict[str, Item] = {}
    for _ in range(count * 1000):
        if len(found) == count:
            break
        made = task.make(generator)
        if made.is_held_out:
            found.setdefault(made.key, made)
    return list(found.values())
