"""Courses that a text links to, and amounts beside one: found when a post is saved, compared when it is looked at.

Beside means in the same sentence, list entry or table row, near the course's title or a link to it. What is ~~struck
out~~ names a former price on purpose, and code is no offer.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.blog.catalog_names import CourseName
from app.money import CURRENCIES, MoneyError, currency_symbol, parse_amount

NEAR = 120
COMMA = 40
SHORTEST_TITLE = 4
SIGNS = {"€": "eur", "£": "gbp", "¥": "jpy", "US$": "usd"}
NUMBER = r"(?<![\d.,])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d{1,3})?(?![.,]?\d)"
# "$5k" and "$3 million" are no prices.
LARGE = r"(?!\s?(?:k|K|m|M|bn|million|thousand|billion)\b)"
AMOUNT = re.compile(
    rf"(?P<sign>US\$|[$€£¥])\s?(?P<signed>{NUMBER}){LARGE}|(?P<coded>{NUMBER})\s?(?P<code>[A-Z]{{3}}\b|[€£])"
    rf"|\b(?P<before>[A-Z]{{3}})\s(?P<after>{NUMBER}){LARGE}"
)
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
STRUCK = re.compile(r"~~[^~]*~~")
COURSE_LINK = re.compile(r"/courses/([a-z0-9-]+)")
# Where one thought ends: an empty line, a list entry, a table row, a sentence.
BREAK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*+#>|]|\d+[.)]))|(?<=[.!?])\s+")


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceMention:
    """An amount (minor units of currency) beside a course."""

    course_id: int
    currency: str
    amount: int


def has_mentions(text: str) -> bool:
    """Whether the text names any amount of money, or links to any course."""
    return AMOUNT.search(text) is not None or COURSE_LINK.search(text) is not None


def find_price_mentions(text: str, courses: Sequence[CourseName], *, site_currency: str) -> set[PriceMention]:
    """The amounts that stand beside one of the courses, each with the nearest one."""
    visible = STRUCK.sub(_blank, CODE.sub(_blank, text))
    lowered = visible.lower()
    # Each part is read for the few that the text names at all, not for a whole catalog.
    named = [each for each in courses if f"/courses/{each.slug}" in lowered or each.title.lower() in lowered]
    return {mention for part in BREAK.split(visible) for mention in _read_part(part, named, site_currency)}


def find_linked_courses(text: str, courses: Sequence[CourseName]) -> set[int]:
    """The ids of the courses whose pages the text links to."""
    slugs = set(COURSE_LINK.findall(text))
    return {course.course_id for course in courses if course.slug in slugs}


def _read_part(part: str, courses: Sequence[CourseName], site_currency: str) -> Iterator[PriceMention]:
    places = list(_find_names(part, courses))
    for match in AMOUNT.finditer(part):
        money = _read_amount(match, site_currency)
        near = [(_measure(part, match.span(), (start, end)), course_id) for start, end, course_id in places]
        if money is None or not near or min(near)[0] > NEAR:
            continue
        yield PriceMention(course_id=min(near)[1], currency=money[1], amount=money[0])


def _measure(part: str, one: tuple[int, int], other: tuple[int, int]) -> int:
    """How far two places are apart; a comma between them counts as many letters."""
    (_, end), (start, _) = sorted((one, other))
    return max(start - end, 0) + COMMA * len(re.findall(r"[,;]", part[end:start]))


def _find_names(part: str, courses: Sequence[CourseName]) -> Iterator[tuple[int, int, int]]:
    """(start, end, course id) of each name; of two that begin at the same place the longer one counts."""
    lowered = part.lower()
    found: dict[int, tuple[int, int]] = {}
    for course in courses:
        title = course.title.lower()
        patterns = [rf"/courses/{re.escape(course.slug)}(?![a-z0-9-])"]
        if len(title) >= SHORTEST_TITLE and title in lowered:
            patterns.append(rf"(?<!\w){re.escape(title)}(?!\w)")
        for match in (each for pattern in patterns for each in re.finditer(pattern, lowered)):
            if match.end() > found.get(match.start(), (0, 0))[0]:
                found[match.start()] = (match.end(), course.course_id)
    for start, (end, course_id) in found.items():
        yield start, end, course_id


def _read_amount(match: re.Match[str], site_currency: str) -> tuple[int, str] | None:
    number = match["signed"] or match["coded"] or match["after"]
    word = match["sign"] or match["code"] or match["before"]
    if word == "$":
        # The shop's own dollar, where it has one.
        currency = site_currency if currency_symbol(site_currency).endswith("$") else "usd"
    else:
        currency = SIGNS.get(word, word.lower())
    if currency not in CURRENCIES:
        return None
    try:
        return parse_amount(number, currency), currency
    except MoneyError:
        return None


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])
