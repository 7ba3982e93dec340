"""One question with its answer, and the rule that says which ones the model never sees in training."""

import random
import zlib
from dataclasses import dataclass

HELD_OUT_PERCENT = 10


@dataclass(frozen=True)
class Item:
    """A question, the answer in pieces that are tokenised one by one, and what makes it different from all others.

    Pieces matter where the answer is made of letters: the word "abba", written as four pieces, is four tokens, so that
    the model writes it letter by letter, and still the text of the answer is plain "abba".
    """

    task: str
    question: str
    pieces: tuple[str, ...]
    # None: nothing could be inferred about it by somebody who never saw it, so it is always trained.
    key: str | None

    @property
    def answer(self) -> str:
        return "".join(self.pieces)

    @property
    def is_held_out(self) -> bool:
        """Whether it is kept for measuring. Depends on nothing but the task and the key."""
        return self.key is not None and zlib.crc32(f"{self.task}:{self.key}".encode()) % 100 < HELD_OUT_PERCENT


def item(task: str, question: str, answer: str | list[str], key: str | None) -> Item:
    pieces = (answer,) if isinstance(answer, str) else tuple(answer)
    return Item(task, question, pieces, key)


def letters(word: str) -> list[str]:
    """The pieces of a word that is to be written letter by letter."""
    return list(word)


def joined(words: list[str], conjunction: str = "and") -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" {conjunction} {words[-1]}"


def as_people_type(question: str, generator: random.Random) -> str:
    """The question as somebody in a hurry, or somebody polite, would type it."""
    roll = generator.random()
    if roll < 0.70:
        return question
    if roll < 0.80:
        return question[0].lower() + question[1:]
    if roll < 0.88:
        return (question[0].lower() + question[1:]).rstrip("?.")
    if roll < 0.92:
        return question.rstrip("?.")
    if roll < 0.96:
        return "Please " + question[0].lower() + question[1:]
    return generator.choice(["Hi! ", "Hello, ", "Next question: ", "OK. ", "Thanks. "]) + question
