"""How many held-out questions the network would answer word for word, without generating anything.

A greedy answer is the reference's exactly if each of its tokens is the likeliest after the ones before it.
"""

import random

import torch
from torch import Tensor

from batches import Batch, Conversation, Conversations, Row, ROW_LENGTHS, assembled
from corpus.item import Item
from corpus.tasks import TASKS, held_out_items
from network import Network

ITEMS_PER_BATCH = 64


def held_out_questions(count: int, seed: int) -> dict[str, list[Item]]:
    """The same for each call with the same arguments, by task."""
    return {task.name: held_out_items(task, count, seed) for task in TASKS if task.is_checkable}


def plain_batch(items: list[Item], conversations: Conversations) -> tuple[Batch, list[int]]:
    """One question per row as it stands, and how many tokens of each answer count, in the order of the batch."""
    rows = []
    for made in items:
        prompt, answer = conversations.turn(made, random.Random(0), is_as_typed=False)
        length = next(each for each in ROW_LENGTHS if each >= len(prompt) + len(answer))
        tokens = prompt + answer
        is_answer = [False] * len(prompt) + [True] * len(answer)
        rows.append(Row(length, [Conversation(tokens, list(range(len(tokens))), is_answer)]))
    rows.sort(key=lambda row: row.length)
    return assembled(rows), [sum(row.conversations[0].is_answer) for row in rows]


@torch.no_grad()
def exact_share(network: Network, conversations: Conversations, items: list[Item]) -> float:
    """The share of items whose greedy answer would be exact."""
    right = 0
    for start in range(0, len(items), ITEMS_PER_BATCH):
        batch, lengths = plain_batch(items[start:start + ITEMS_PER_BATCH], conversations)
        is_right: Tensor = network(batch)[0].argmax(dim=-1) == batch.targets
        right += sum(bool(answer.all()) for answer in is_right.split(lengths))
    return right / len(items)


def scores(network: Network, conversations: Conversations, questions: dict[str, list[Item]]) -> dict[str, float]:
    return {name: exact_share(network, conversations, items) for name, items in questions.items()}
