"""Spelling, reversing and counting letters of words.

Each answer spells the word first: what is asked for can then be read off letter by letter.
"""

import random

from corpus.item import Item, item, letters
from corpus.vocabulary import WORDS, invented_word

SPELL_QUESTIONS = [
    "Spell the word {w}.", "Spell {w}.", "How do you spell {w}?", "Spell {w} letter by letter.", "Can you spell {w}?",
    "What are the letters of {w}?",
]
REVERSE_QUESTIONS = [
    "Reverse the word {w}.", "Reverse {w}.", "Spell {w} backwards.", "What is {w} backwards?", "Write {w} in reverse.",
    "Turn the word {w} around.",
]
LENGTH_QUESTIONS = [
    "How many letters does {w} have?", "How many letters are in {w}?", "How many letters are there in the word {w}?",
    "Count the letters of {w}.", "How long is the word {w}?",
]
OCCURRENCE_QUESTIONS = [
    "How many times does the letter {l} occur in {w}?", "How many {l}s are in {w}?", "How often is {l} in {w}?",
    "Count the letter {l} in {w}.", "How many times does {l} appear in the word {w}?", "How many {l}'s are in {w}?",
    "How many letters {l} are in {w}?",
]


def word(generator: random.Random) -> str:
    return generator.choice(WORDS) if generator.random() < 0.6 else invented_word(generator)


def as_written(text: str, generator: random.Random) -> str:
    """The word as it may stand in a question."""
    return generator.choice([text, text, text, f'"{text}"', f"'{text}'"])


def spelled(text: str) -> str:
    return "-".join(text)


def spelled_with_numbers(text: str, letter: str) -> str:
    """`b-a1-n-a2-n-a3`: counted where it stands, so that nothing has to be counted from memory."""
    count, parts = 0, []
    for each in text:
        count += each == letter
        parts.append(f"{each}{count}" if each == letter else each)
    return "-".join(parts)


def spelling(generator: random.Random) -> Item:
    text = word(generator)
    question = generator.choice(SPELL_QUESTIONS).format(w=as_written(text, generator))
    return item("spelling", question, spelled(text), text)


def reversal(generator: random.Random) -> Item:
    text = word(generator)
    question = generator.choice(REVERSE_QUESTIONS).format(w=as_written(text, generator))
    pieces = [f"{spelled(text)} backwards is ", *letters(text[::-1])]
    return item("reversal", question, pieces, text)


def length(generator: random.Random) -> Item:
    text = word(generator)
    question = generator.choice(LENGTH_QUESTIONS).format(w=as_written(text, generator))
    unit = "letter" if len(text) == 1 else "letters"
    return item("length", question, f"{spelled(text)} has {len(text)} {unit}.", text)


def occurrences(generator: random.Random) -> Item:
    text = word(generator)
    if generator.random() < 0.8:
        letter = generator.choice(text)
    else:
        letter = generator.choice("abcdefghijklmnopqrstuvwxyz")
    question = generator.choice(OCCURRENCE_QUESTIONS).format(l=letter, w=as_written(text, generator))
    count = text.count(letter)
    times = "1 time" if count == 1 else f"{count} times"
    numbered = spelled_with_numbers(text, letter)
    return item("occurrences", question, f"In {numbered} the letter {letter} occurs {times}.", text)
