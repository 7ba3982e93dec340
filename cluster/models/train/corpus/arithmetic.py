"""Adding and subtracting numbers of up to three digits, and products of two digits with one."""

import random

from corpus.item import Item, item

SUM_QUESTIONS = [
    "What is {a} + {b}?", "What is {a} + {b}?", "{a} + {b}", "{a} + {b} = ?", "{a}+{b}", "What is {a} plus {b}?",
    "Add {a} and {b}.", "How much is {a} + {b}?", "Calculate {a} + {b}.", "What is the sum of {a} and {b}?",
    "Compute {a} plus {b}.", "What's {a} + {b}?", "What do you get when you add {b} to {a}?",
]
DIFFERENCE_QUESTIONS = [
    "What is {a} - {b}?", "What is {a} - {b}?", "{a} - {b}", "{a} - {b} = ?", "{a}-{b}", "What is {a} minus {b}?",
    "Subtract {b} from {a}.", "How much is {a} - {b}?", "Calculate {a} - {b}.", "Take {b} away from {a}.",
    "Compute {a} minus {b}.", "What's {a} - {b}?", "What is the difference of {a} and {b}?",
]
PRODUCT_QUESTIONS = [
    "What is {a} × {b}?", "What is {a} times {b}?", "{a} × {b}", "{a} * {b}", "Multiply {a} by {b}.",
    "How much is {a} times {b}?",
]


def number(generator: random.Random) -> int:
    """Up to three digits; short numbers are not as rare as they would be if all were equally likely."""
    return generator.randrange(10 ** generator.choice([1, 2, 2, 3, 3, 3, 3]))


def addition(generator: random.Random) -> Item:
    a, b = number(generator), number(generator)
    question = generator.choice(SUM_QUESTIONS).format(a=a, b=b)
    return item("addition", question, f"{a} + {b} = {a + b}", f"{min(a, b)}+{max(a, b)}")


def subtraction(generator: random.Random) -> Item:
    a, b = number(generator), number(generator)
    # Below zero is rarer than people's questions would make it by chance.
    if b > a and generator.random() < 0.6:
        a, b = b, a
    question = generator.choice(DIFFERENCE_QUESTIONS).format(a=a, b=b)
    return item("subtraction", question, f"{a} - {b} = {a - b}", f"{a}-{b}")


def product_steps(a: int, b: int) -> str:
    """`34 × 7 = 210 + 28 = 238`: the sum of the products of the tens and of the ones."""
    tens, ones = a // 10 * 10, a % 10
    steps = f" = {tens * b} + {ones * b}" if tens and ones else ""
    return f"{a} × {b}{steps} = {a * b}"


def multiplication(generator: random.Random) -> Item:
    a, b = generator.randrange(2, 100), generator.randrange(2, 10)
    question = generator.choice(PRODUCT_QUESTIONS).format(a=a, b=b)
    return item("multiplication", question, product_steps(a, b), f"{a}*{b}")
