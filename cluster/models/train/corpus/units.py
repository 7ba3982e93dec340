"""Conversions of units."""

import random

from corpus.item import Item, item

# From, to, factor: one of the first is so many of the second.
DECIMAL_UNITS = [
    ("km", "m", 1000), ("m", "cm", 100), ("cm", "mm", 10), ("m", "mm", 1000), ("kg", "g", 1000), ("t", "kg", 1000),
    ("l", "ml", 1000), ("g", "mg", 1000), ("kB", "bytes", 1000), ("MB", "kB", 1000), ("GB", "MB", 1000),
    ("seconds", "milliseconds", 1000), ("metres", "centimetres", 100), ("kilometres", "metres", 1000),
    ("kilograms", "grams", 1000), ("litres", "millilitres", 1000), ("centimetres", "millimetres", 10),
]
OTHER_UNITS = [
    ("hours", "minutes", 60), ("minutes", "seconds", 60), ("days", "hours", 24), ("weeks", "days", 7),
    ("years", "months", 12), ("feet", "inches", 12), ("yards", "feet", 3), ("bytes", "bits", 8),
    ("dozen", "pieces", 12),
]
QUESTIONS = [
    "How many {to} are {n} {from}?", "Convert {n} {from} to {to}.", "How many {to} are there in {n} {from}?",
    "What is {n} {from} in {to}?", "{n} {from} in {to}", "Express {n} {from} in {to}.",
]


def question(count: int, source: str, target: str, generator: random.Random) -> str:
    return generator.choice(QUESTIONS).format(**{"n": count, "from": source, "to": target})


def product(count: int, factor: int) -> str:
    """The steps from `13 × 24` to its value: the parts of the larger factor one by one."""
    parts = [(count // 10 * 10) * factor, (count % 10) * factor]
    if factor == 24:
        parts = [count * 20, count * 4]
    elif factor == 12:
        parts = [count * 10, count * 2]
    elif factor == 60 or count < 10 or count % 10 == 0:
        return f"{count * factor}"
    return f"{parts[0]} + {parts[1]} = {count * factor}"


def conversion(generator: random.Random) -> Item:
    if generator.random() < 0.45:
        source, target, factor = generator.choice(DECIMAL_UNITS)
        count = generator.randrange(2, 10 ** generator.choice([1, 2, 3]) + 2)
        if generator.random() < 0.35:
            answer = f"{count * factor} {target} = {count} {source}"
            return item("conversion", question(count * factor, target, source, generator), answer,
                        f"{count}{target}{source}")
        return item("conversion", question(count, source, target, generator),
                    f"{count} {source} = {count * factor} {target}", f"{count}{source}{target}")
    source, target, factor = generator.choice(OTHER_UNITS)
    count = generator.randrange(2, generator.choice([13, 60, 100]))
    answer = f"{count} {source} = {count} × {factor} {target} = {product(count, factor)} {target}"
    return item("conversion", question(count, source, target, generator), answer, f"{count}{source}{target}")
