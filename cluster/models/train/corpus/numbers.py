"""Comparing and sorting numbers."""

import random

from corpus.arithmetic import number
from corpus.item import Item, item, joined

LARGER_QUESTIONS = [
    "Which is larger, {a} or {b}?", "Which number is greater, {a} or {b}?", "What is bigger: {a} or {b}?",
    "Which is the larger number: {a} or {b}?",
]
SMALLER_QUESTIONS = [
    "Which is smaller, {a} or {b}?", "Which number is less, {a} or {b}?", "What is smaller: {a} or {b}?",
    "Which is the smaller number: {a} or {b}?",
]
ASCENDING_QUESTIONS = [
    "Sort {list}.", "Sort these numbers: {commas}.", "Sort {commas}", "Put {list} in order.", "Sort {list} ascending.",
    "Order {list} from smallest to largest.", "Arrange {commas} in ascending order.",
]
DESCENDING_QUESTIONS = [
    "Sort {list} descending.", "Order {list} from largest to smallest.", "Arrange {commas} in descending order.",
    "Sort {commas} from high to low.",
]
LARGEST_QUESTIONS = [
    "What is the largest of {list}?", "Which of {list} is the largest?", "What is the maximum of {list}?",
    "Find the largest number: {commas}.",
]
SMALLEST_QUESTIONS = [
    "What is the smallest of {list}?", "Which of {list} is the smallest?", "What is the minimum of {list}?",
    "Find the smallest number: {commas}.",
]


def near(a: int, generator: random.Random) -> int:
    """A number that is hard to tell from another: with one digit changed, or any."""
    if generator.random() < 0.7:
        return number(generator)
    digits = list(str(a))
    digits[generator.randrange(len(digits))] = str(generator.randrange(10))
    return int("".join(digits))


def comparison(generator: random.Random) -> Item:
    a = number(generator)
    b = near(a, generator)
    kind = generator.randrange(3)
    if kind == 2:
        word, is_so = generator.choice([("greater", a > b), ("less", a < b), ("larger", a > b), ("smaller", a < b)])
        no = f"No, {a} is not {word} than {b}."
        return item("comparison", f"Is {a} {word} than {b}?", f"Yes, {a} is {word} than {b}." if is_so else no,
                    f"{a}?{b}")
    questions, word, first, second = [
        (LARGER_QUESTIONS, "larger", max(a, b), min(a, b)), (SMALLER_QUESTIONS, "smaller", min(a, b), max(a, b)),
    ][kind]
    answer = f"{first} is {word} than {second}." if a != b else f"{a} and {b} are equal."
    return item("comparison", generator.choice(questions).format(a=a, b=b), answer, f"{a}?{b}")


def several(generator: random.Random) -> list[int]:
    numbers = [number(generator)]
    for _ in range(generator.choice([2, 2, 3, 3, 4])):
        numbers.append(near(numbers[-1], generator))
    generator.shuffle(numbers)
    return numbers


def sorting(generator: random.Random) -> Item:
    numbers = several(generator)
    texts = [str(each) for each in numbers]
    wordings = {"list": joined(texts), "commas": ", ".join(texts)}
    is_descending = generator.random() < 0.3
    question = generator.choice(DESCENDING_QUESTIONS if is_descending else ASCENDING_QUESTIONS).format(**wordings)
    answer = ", ".join(str(each) for each in sorted(numbers, reverse=is_descending))
    return item("sorting", question, answer, ",".join(texts))


def extreme(generator: random.Random) -> Item:
    numbers = several(generator)
    texts = [str(each) for each in numbers]
    wordings = {"list": joined(texts), "commas": ", ".join(texts)}
    questions, word, value = generator.choice([
        (LARGEST_QUESTIONS, "largest", max(numbers)), (SMALLEST_QUESTIONS, "smallest", min(numbers)),
    ])
    return item("extreme", generator.choice(questions).format(**wordings), f"The {word} is {value}.", ",".join(texts))
