"""Conversations, packed into batches.

Short conversations share rows; a mask keeps them from seeing each other. There are rows of three lengths, because
attention in a row costs its length squared.
"""

import random
from dataclasses import dataclass, field, replace

import torch
from tokenizers import Tokenizer
from torch import Tensor

from corpus.item import Item, as_people_type
from corpus.tasks import training_item

ROW_LENGTHS = [64, 128, 256]
SYSTEM_MESSAGES = [
    "You are a helpful assistant.", "You are Antling, a helpful model.", "Answer briefly.", "Be exact.",
    "You are an assistant that answers questions about numbers, words and Colony.", "You are a helpful AI assistant.",
]


@dataclass(frozen=True)
class Part:
    """Rows of one length: tokens start..<end of the batch, and which may see which, [rows, 1, length, length]."""

    start: int
    end: int
    row_length: int
    mask: Tensor


@dataclass(frozen=True)
class Batch:
    """A flat list of tokens, with targets at the positions that count: those that write answers."""

    tokens: Tensor
    positions: Tensor
    counted: Tensor
    targets: Tensor
    parts: list[Part]

    def to(self, device: str) -> "Batch":
        parts = [replace(part, mask=part.mask.to(device)) for part in self.parts]
        return Batch(*(each.to(device) for each in (self.tokens, self.positions, self.counted, self.targets)), parts)


@dataclass(frozen=True)
class Conversation:
    """Token ids; the positions of each; and which of them are to be predicted."""

    tokens: list[int]
    positions: list[int]
    is_answer: list[bool]


@dataclass
class Row:
    """Conversations that share a row."""

    length: int
    conversations: list[Conversation] = field(default_factory=list)

    @property
    def room(self) -> int:
        return self.length - sum(len(made.tokens) for made in self.conversations)


class Conversations:
    """Makes conversations of questions that may be trained on."""

    def __init__(self, tokenizer: Tokenizer, position_count: int):
        self.tokenizer = tokenizer
        self.position_count = position_count
        self.marks = {name: tokenizer.token_to_id(f"<|{name}|>") for name in ("system", "user", "assistant", "end")}

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def turn(
        self, made: Item, generator: random.Random, is_as_typed: bool = True
    ) -> tuple[list[int], list[int]]:
        """The tokens of a question with all that belongs to the prompt, and those of the answer with its end."""
        text = as_people_type(made.question, generator) if is_as_typed else made.question
        question = self.encode(text)
        prompt = [self.marks["user"], *question, self.marks["end"], self.marks["assistant"]]
        answer = [token for piece in made.pieces for token in self.encode(piece)]
        return prompt, [*answer, self.marks["end"]]

    def conversation(self, generator: random.Random) -> Conversation:
        """One turn mostly, sometimes more, as many as the longest row holds."""
        tokens: list[int] = []
        positions: list[int] = []
        is_answer: list[bool] = []
        turn_count = generator.choice([1, 1, 1, 1, 1, 1, 2, 2, 3, 5])
        is_stretched = generator.random() < 0.4
        if generator.random() < 0.12:
            tokens = [self.marks["system"], *self.encode(generator.choice(SYSTEM_MESSAGES)), self.marks["end"]]
            positions, is_answer = list(range(len(tokens))), [False] * len(tokens)
        for _ in range(turn_count):
            prompt, answer = self.turn(training_item(generator), generator)
            if len(tokens) + len(prompt) + len(answer) > ROW_LENGTHS[-1]:
                break
            start = positions[-1] + 1 if positions else 0
            if is_stretched and tokens:
                start += self.jump(start, generator)
            tokens += prompt + answer
            positions += range(start, start + len(prompt) + len(answer))
            is_answer += [False] * len(prompt) + [True] * len(answer)
        return Conversation(tokens, positions, is_answer)

    def jump(self, start: int, generator: random.Random) -> int:
        """A gap between turns, as if a long conversation lay there: so far positions are known from short rows."""
        room = self.position_count - start - ROW_LENGTHS[-1]
        return int(2 ** generator.uniform(0, max(room, 2).bit_length() - 1)) if room > 2 else 0

    def batch(self, token_count: int, generator: random.Random) -> Batch:
        """Conversations until there are about so many tokens, padding included."""
        rows: list[Row] = []
        while sum(row.length for row in rows) < token_count:
            made = self.conversation(generator)
            if not made.tokens:
                continue
            fitting = [row for row in rows if row.room >= len(made.tokens)]
            if not fitting:
                rows.append(Row(next(each for each in ROW_LENGTHS if each >= len(made.tokens))))
                fitting = rows[-1:]
            min(fitting, key=lambda row: row.room).conversations.append(made)
        return assembled(rows)


def assembled(rows: list[Row]) -> Batch:
    tokens: list[int] = []
    positions: list[int] = []
    counted: list[int] = []
    targets: list[int] = []
    parts = []
    for length in ROW_LENGTHS:
        start, documents = len(tokens), []
        for row in (row for row in rows if row.length == length):
            document: list[int] = []
            for number, made in enumerate(row.conversations):
                answers = [at for at, is_answer in enumerate(made.is_answer) if is_answer]
                counted += [len(tokens) + at - 1 for at in answers]
                targets += [made.tokens[at] for at in answers]
                tokens += made.tokens
                positions += made.positions
                document += [number] * len(made.tokens)
            tokens += [0] * row.room
            positions += [0] * row.room
            documents.append(document + [-1] * row.room)
        if documents:
            parts.append(Part(start, len(tokens), length, mask(torch.tensor(documents))))
    return Batch(torch.tensor(tokens), torch.tensor(positions), torch.tensor(counted), torch.tensor(targets), parts)


def mask(documents: Tensor) -> Tensor:
    """0 where a token may look, a large negative number elsewhere."""
    length = documents.shape[1]
    is_same = documents.unsqueeze(2) == documents.unsqueeze(1)
    is_before = torch.ones(length, length, dtype=torch.bool).tril()
    return torch.where(is_same & is_before, 0.0, -1e9).unsqueeze(1)
