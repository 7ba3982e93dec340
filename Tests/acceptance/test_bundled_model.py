"""The bundled model: what it was trained on, and what it scores through a whole cluster."""

import datetime
import json
import random
import re
import sys

import pytest

from support.cluster import Cluster
from support.processes import ROOT

TRAINING = ROOT / "cluster" / "models" / "train"
MODEL = ROOT / "cluster" / "models" / "antling"
sys.path.insert(0, str(TRAINING))

import score  # noqa: E402
from corpus import stories, tasks  # noqa: E402
from corpus.calendars import MONTHS, WEEKDAYS  # noqa: E402

# As many as the model card speaks of: the answers are the same on every machine, so are the scores.
QUESTIONS_PER_TASK = 200


def some_items(name: str, count: int = 400):
    """Questions of one task, trained and held out alike."""
    generator = random.Random(f"tests:{name}")
    make = next(task.make for task in tasks.TASKS if task.name == name)
    return [make(generator) for _ in range(count)]


def test_nothing_held_out_is_trained():
    """Items that training may draw and items that are kept for scores have no question in common."""
    generator = random.Random("training")
    trained = {(item.task, item.key) for item in (tasks.training_item(generator) for _ in range(20000))}
    for task in tasks.TASKS:
        if task.is_checkable:
            held_out = tasks.held_out_items(task, 100, seed=0)
            assert len(held_out) >= 50, f"{task.name} has only {len(held_out)} held-out questions"
            assert not {(item.task, item.key) for item in held_out} & trained, task.name


def test_the_same_seed_asks_the_same():
    for task in tasks.TASKS:
        assert [task.make(random.Random(5)) for _ in range(3)] == [task.make(random.Random(5)) for _ in range(3)]


@pytest.mark.parametrize("name, sign", [("addition", 1), ("subtraction", -1)])
def test_sums_are_right(name, sign):
    for item in some_items(name):
        left, right, result = (int(text) for text in re.fullmatch(r"(\d+) [+-] (\d+) = (-?\d+)", item.answer).groups())
        assert left + sign * right == result
        assert {str(left), str(right)} == set(re.findall(r"\d+", item.question)), item.question


@pytest.mark.parametrize("name", ["multiplication", "conversion"])
def test_every_step_of_a_product_is_right(name):
    for item in some_items(name):
        sides = [re.sub(r"[^\d+*]", "", side.replace("×", "*")) for side in item.answer.split("=")]
        if name == "multiplication" or "×" in item.answer:
            values = {eval(side) for side in sides[-2:]}  # digits and signs only
            assert len(values) == 1, item.answer


def test_sorted_numbers_are_sorted():
    for item in some_items("sorting"):
        asked, given = re.findall(r"\d+", item.question), re.findall(r"\d+", item.answer)
        is_descending = any(word in item.question for word in ("descending", "largest to", "high to low"))
        assert given == [str(number) for number in sorted(map(int, asked), reverse=is_descending)]


def test_words_are_spelled_reversed_and_counted():
    for name in ("spelling", "reversal", "length", "occurrences"):
        for item in some_items(name):
            numbered = next(part for part in item.answer.removeprefix("In ").split())
            word = re.sub(r"[-\d]", "", numbered)
            assert word in item.question and word == item.key
            if name == "reversal":
                assert item.answer.endswith(" " + word[::-1])
            if name == "length":
                assert int(re.search(r"\d+", item.answer)[0]) == len(word)
            if name == "occurrences":
                letter = re.search(r"letter (.) occurs", item.answer)[1]
                assert f"occurs {word.count(letter)} time" in item.answer
                assert re.findall(r"\d+", numbered) == [str(index + 1) for index in range(word.count(letter))]


def test_dates_agree_with_another_calendar():
    pattern = re.compile(r"The day (after|before) (\d+) (\w+) (\d+) is (\d+) (\w+) (\d+)\.")
    found = 0
    for item in some_items("calendar", 4000):
        if match := pattern.fullmatch(item.answer):
            direction, *numbers = match.groups()
            first, second = (
                datetime.date(int(year), MONTHS.index(month) + 1, int(day)) for day, month, year in
                (numbers[:3], numbers[3:]))
            assert second - first == datetime.timedelta(days=1 if direction == "after" else -1), item.answer
            found += 1
        elif match := re.fullmatch(r"(\w+) (\d+) has (\d+) days\.", item.answer):
            month, year = MONTHS.index(match[1]), int(match[2])
            following = datetime.date(year + month // 11, (month + 1) % 12 + 1, 1)
            assert (following - datetime.date(year, month + 1, 1)).days == int(match[3]), item.answer
            found += 1
        elif match := re.search(r"(\d+) days? (after|before) (\w+)\?", item.question):
            days = int(match[1]) * (1 if match[2] == "after" else -1)
            assert item.answer.endswith(f"It is {WEEKDAYS[(WEEKDAYS.index(match[3]) + days) % 7]}."), item.answer
            found += 1
    assert found > 1000


def test_json_answers_are_json():
    for item in some_items("json"):
        for field, value in json.loads(item.answer).items():
            assert field in item.question and str(value).lower() in item.question.lower()


def test_the_judge_of_stories_judges():
    for item in some_items("story", 100):
        assert stories.is_coherent(item, item.answer)
        assert not stories.is_coherent(item, item.answer[:-2])
        who, where, what = item.key.split(":")
        assert not stories.is_coherent(item, item.answer.replace(what, where, 1))


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """The answers to the same held-out questions of a single process and of three workers."""
    results = {}
    asked = score.questions(QUESTIONS_PER_TASK, seed=0)
    for workers in (0, 3):
        cluster = Cluster(MODEL, tmp_path_factory.mktemp(f"bundled-{workers}") / "state", workers)
        try:
            results[workers] = dict(score.answers(cluster.wait_until_ready().url, asked))
            assert cluster.stop() == 0, cluster.process.transcript()
        finally:
            cluster.end()
    return results


def test_the_cut_changes_no_answer(answered):
    for name, alone in answered[0].items():
        for one, other in zip(alone, answered[3][name], strict=True):
            assert one == other, f"{name}: another answer with 3 workers"


def test_scores_are_above_the_bar(answered):
    for name, of_task in answered[3].items():
        wrong = [(each.item.question, each.text, each.item.answer) for each in of_task if not each.is_right]
        assert 1 - len(wrong) / len(of_task) >= score.BAR, f"{name}: {len(wrong)} of {len(of_task)} wrong: {wrong[:5]}"


@pytest.mark.parametrize("workers", [0, 3])
def test_the_question_of_the_readme(start_cluster, workers):
    cluster = start_cluster(model=MODEL, workers=workers)
    assert score.ask(cluster.url, "What is 347 + 285?") == "347 + 285 = 632"
