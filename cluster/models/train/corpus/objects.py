"""Small JSON objects asked for in words."""

import json
import random

from corpus.item import Item, item
from corpus.vocabulary import CITIES, COLOURS, CREATURES, NAMES, PLACES, THINGS, WORDS

TEXT_FIELDS = {
    "name": NAMES, "city": CITIES, "colour": COLOURS, "animal": CREATURES, "product": THINGS, "place": PLACES,
    "owner": NAMES, "friend": NAMES, "item": THINGS,
}
NUMBER_FIELDS = ["age", "price", "count", "port", "workers", "year", "size", "score", "quantity", "layers"]
FLAG_FIELDS = ["active", "ready", "open", "visible", "enabled"]
QUESTIONS = [
    "Write a JSON object with {fields}.", "Give me JSON with {fields}.", "Make a JSON object: {fields}.",
    "JSON with {fields}, please.", "Return a JSON object with {fields}.", "Create JSON for {fields}.",
]


def value(field: str, generator: random.Random) -> str | int | bool:
    if field in TEXT_FIELDS:
        return generator.choice(TEXT_FIELDS[field])
    if field in FLAG_FIELDS:
        return generator.random() < 0.5
    return generator.randrange(10 ** generator.choice([1, 2, 3, 4]))


def chosen_fields(generator: random.Random) -> dict[str, str | int | bool]:
    """A few fields with their values; some have names that nobody could have listed before."""
    fields = {}
    for field in generator.sample([*TEXT_FIELDS, *NUMBER_FIELDS, *FLAG_FIELDS], generator.choice([1, 2, 2, 3, 3, 4])):
        if generator.random() < 0.3:
            fields[generator.choice(WORDS)] = generator.choice([generator.choice(WORDS), generator.randrange(1000)])
        else:
            fields[field] = value(field, generator)
    return fields


def in_words(field: str, content: str | int | bool, style: int) -> str:
    if isinstance(content, bool):
        content = "true" if content else "false"
    return [f"{field} {content}", f"{field} = {content}", f"{field}: {content}", f"the {field} {content}"][style]


def json_object(generator: random.Random) -> Item:
    fields = chosen_fields(generator)
    style = generator.randrange(4)
    parts = [in_words(field, content, style) for field, content in fields.items()]
    text = ", ".join(parts) if generator.random() < 0.3 else (
        parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1])
    answer = json.dumps(fields)
    return item("json", generator.choice(QUESTIONS).format(fields=text), answer, answer)
