"""Short stories from three given words: someone, somewhere, something."""

import random
import re

from corpus.item import Item, item, joined
from corpus.vocabulary import ADJECTIVES, CREATURES, PLACES, THINGS

QUESTIONS = [
    "Tell me a short story with the words {words}.", "Tell a story with {words}.", "Write a short story about {words}.",
    "Make up a story from the words {words}.", "Tell me a story about {words}.", "Story: {commas}",
]
BEGINNINGS = [
    "Once upon a time there was {adjective} {who} who lived near a {where}.",
    "Long ago {adjective} {who} lived by a {where}.",
    "There once was {adjective} {who} whose home was close to a {where}.",
]
EVENTS = [
    "One morning the {who} found a {what} at the {where} and wondered who had lost it.",
    "One day the {who} walked to the {where} and saw a {what} lying there.",
    "On a rainy evening the {who} lost a {what} somewhere at the {where}.",
]
# What may follow each event, in the same order.
TURNS = [
    ["The {who} asked everyone at the {where}, but nobody knew the {what}.",
     "The {who} waited a whole day, and then a tired old woman came to look for her {what}."],
    ["It was too heavy to carry alone, so the {who} called a friend for help.",
     "A child was crying, because the {what} had been a present."],
    ["The {who} searched all night with a little light in hand.",
     "A friend heard of it and helped to look behind every stone."],
]
ENDINGS = [
    ["In the end the {who} hung the {what} on a tree, where all could use it, and everybody was glad.",
     "The {who} gave the {what} back, and the two became good friends."],
    ["Together they brought the {what} home, and they shared it from that day on.",
     "The {who} gave the {what} to the child, and both of them smiled."],
    ["At sunrise the {what} was found, and the {who} never left it behind again.",
     "They found the {what} under a leaf, and they laughed all the way home."],
]


def with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def tell(who: str, where: str, what: str, generator: random.Random) -> str:
    event = generator.randrange(len(EVENTS))
    turn = generator.randrange(2)
    sentences = [generator.choice(BEGINNINGS), EVENTS[event], TURNS[event][turn], ENDINGS[event][turn]]
    text = " ".join(sentences).format(
        adjective=with_article(generator.choice(ADJECTIVES)), who=who, where=where, what=what)
    return text.replace(f" a {where}", f" {with_article(where)}").replace(f" a {what}", f" {with_article(what)}")


def story(generator: random.Random) -> Item:
    who, where, what = generator.choice(CREATURES), generator.choice(PLACES), generator.choice(THINGS)
    words = [who, where, what]
    generator.shuffle(words)
    question = generator.choice(QUESTIONS).format(words=joined(words), commas=", ".join(words))
    return item("story", question, tell(who, where, what, generator), f"{who}:{where}:{what}")


def pattern(template: str) -> str:
    """A regular expression for the sentences that a template can give."""
    text = re.escape(template).replace(re.escape("{adjective}"), "an? (?:" + "|".join(ADJECTIVES) + ")")
    text = text.replace(re.escape(" a {where}"), " an? (?P=where)").replace(re.escape(" a {what}"), " an? (?P=what)")
    for name in ("who", "where", "what"):
        text = text.replace(re.escape("{" + name + "}"), f"(?P={name})")
    return text


def is_coherent(made: Item, text: str) -> bool:
    """Whether a text is a story of the three words of its question: one beginning, and what follows from it."""
    who, where, what = str(made.key).split(":")
    named = f"(?P<who>{who})(?P<where>{where})(?P<what>{what})"
    # The words first, so that the sentences can refer to them.
    subject = f"{who}{where}{what}{text}"
    return any(
        re.fullmatch(f"{named}{' '.join(map(pattern, (beginning, event, turn, ending)))}", subject)
        for beginning in BEGINNINGS
        for event, turns, endings in zip(EVENTS, TURNS, ENDINGS)
        for turn, ending in zip(turns, endings))
