"""Weekdays, months and years."""

import random

from corpus.item import Item, item

WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
]
ORDINALS = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth",
]


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def month_length(month: int, year: int) -> int:
    return [31, 29 if is_leap(year) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month]


def date_text(day: int, month: int, year: int) -> str:
    return f"{day} {MONTHS[month]} {year}"


def counted(names: list[str], start: int, count: int, is_after: bool) -> str:
    """The names after or before one, numbered: `1 Thursday, 2 Friday`."""
    step = 1 if is_after else -1
    return ", ".join(f"{number} {names[(start + step * number) % len(names)]}" for number in range(1, count + 1))


def weekday(generator: random.Random) -> Item:
    """So many days after or before a weekday: whole weeks are left out, the rest is counted."""
    start, days = generator.randrange(7), generator.randrange(1, generator.choice([8, 32, 61]))
    is_after = generator.random() < 0.6
    end = WEEKDAYS[(start + days if is_after else start - days) % 7]
    direction = "after" if is_after else "before"
    unit = "day" if days == 1 else "days"
    question = generator.choice([
        "What day is {days} {unit} {direction} {start}?", "Which weekday is {days} {unit} {direction} {start}?",
        "What day of the week comes {days} {unit} {direction} {start}?", "It is {start}. What day {relative}?",
    ]).format(
        days=days, unit=unit, direction=direction, start=WEEKDAYS[start],
        relative=f"will it be in {days} {unit}" if is_after else f"was it {days} {unit} ago")
    weeks, rest = divmod(days, 7)
    answer = f"{days} = {weeks} × 7 + {rest}. " if weeks else ""
    answer += f"{direction.capitalize()} {WEEKDAYS[start]}: {counted(WEEKDAYS, start, rest, is_after)}. " if rest else ""
    answer += f"It is {end}."
    return item("weekday", question, answer, f"{start}{direction}{days}")


def same_month(generator: random.Random) -> Item:
    """From the weekday of one day of a month to that of another."""
    first, second = sorted(generator.sample(range(1, 32), 2))
    start = generator.randrange(7)
    weeks, rest = divmod(second - first, 7)
    question = generator.choice([
        "If the {a} is a {start}, what day is the {b}?", "The {a} of the month is a {start}. What weekday is the {b}?",
    ]).format(a=ordinal_number(first), b=ordinal_number(second), start=WEEKDAYS[start])
    answer = f"{second} - {first} = {second - first}"
    answer += f" = {weeks} × 7 + {rest}. " if weeks else ". "
    answer += f"After {WEEKDAYS[start]}: {counted(WEEKDAYS, start, rest, is_after=True)}. " if rest else ""
    answer += f"The {ordinal_number(second)} is a {WEEKDAYS[(start + rest) % 7]}."
    return item("same_month", question, answer, f"{start}:{first}:{second}")


def ordinal_number(number: int) -> str:
    suffix = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def months(generator: random.Random) -> Item:
    """Which month comes so many months after or before another."""
    start, count = generator.randrange(12), generator.randrange(1, 13)
    is_after = generator.random() < 0.5
    direction = "after" if is_after else "before"
    end = MONTHS[(start + count if is_after else start - count) % 12]
    if count == 1:
        question = generator.choice(["Which month comes {d} {m}?", "What is the month {d} {m}?"])
    else:
        question = generator.choice(["Which month is {n} months {d} {m}?", "What month comes {n} months {d} {m}?"])
    answer = f"{direction.capitalize()} {MONTHS[start]}: {counted(MONTHS, start, count, is_after)}. It is {end}."
    return item("months", question.format(n=count, d=direction, m=MONTHS[start]), answer, f"{start}{direction}{count}")


def days_of_month(generator: random.Random) -> Item:
    month, year = generator.randrange(12), generator.randrange(1901, 2100)
    question = generator.choice([
        "How many days does {m} {y} have?", "How many days are there in {m} {y}?", "How long is {m} {y}?",
    ]).format(m=MONTHS[month], y=year)
    answer = f"{MONTHS[month]} {year} has {month_length(month, year)} days."
    return item("days_of_month", question, answer, f"{month}:{year}")


def leap_year(generator: random.Random) -> Item:
    year = generator.randrange(1900, 2101)
    question = generator.choice(["Is {y} a leap year?", "Is the year {y} a leap year?", "Does {y} have a 29 February?"])
    answer = f"Yes, {year} is a leap year." if is_leap(year) else f"No, {year} is not a leap year."
    return item("leap_year", question.format(y=year), answer, f"{year}" if year % 100 else None)


def next_date(generator: random.Random) -> Item:
    """The day after or before a date: half of them at the end of a month."""
    year, month = generator.randrange(1950, 2080), generator.randrange(12)
    length = month_length(month, year)
    is_after = generator.random() < 0.6
    day = generator.choice([generator.randrange(1, length + 1), length if is_after else 1])
    text = date_text(day, month, year)
    if is_after:
        over = day == length
        end = (1 if over else day + 1, (month + over) % 12, year + (over and month == 11))
    else:
        under = day == 1
        before = (month - under) % 12
        years = year - (under and month == 0)
        end = (month_length(before, years) if under else day - 1, before, years)
    direction = "after" if is_after else "before"
    question = generator.choice(["What date comes {d} {t}?", "Which day is {d} {t}?", "What is the date {d} {t}?"])
    return item("next_date", question.format(d=direction, t=text), f"The day {direction} {text} is {date_text(*end)}.",
                f"{text}{direction}")


def order(generator: random.Random) -> Item:
    """The place of a month in the year, of a day in the week."""
    names, unit = generator.choice([(MONTHS, "month of the year"), (WEEKDAYS, "day of the week")])
    place = generator.randrange(len(names))
    if generator.random() < 0.5:
        question = f"What is the {ORDINALS[place]} {unit}?"
    else:
        question = f"Which {unit.split()[0]} is number {place + 1}?"
    answer = f"{names[place]} is the {ORDINALS[place]} {unit}."
    return item("order", question, answer, None)


def calendar(generator: random.Random) -> Item:
    kinds = [weekday, weekday, weekday, same_month, same_month, months, days_of_month, leap_year, next_date, next_date]
    return generator.choice(kinds)(generator)
