"""Courses as Markdown files with front matter: what an author writes, an import reads and an export gives back.

A "# " line begins a section (the text after it is its summary), "## Title {#slug minutes=15 preview drip=7}" a lesson.
Deeper headings belong to the text. What stands before the first section describes the course.
"""

import re
from dataclasses import dataclass
from typing import Any

from app.front_matter import Document, FileProblem, HeadReader, read_front_matter, write_front_matter
from app.markdown import LONGEST_TEXT, slugify_heading
from app.money import MoneyError, check_price, parse_price, to_decimal

LEVELS = ("beginner", "intermediate", "advanced")
STATUSES = ("draft", "published", "archived")
FIELDS = frozenset(
    {
        "title",
        "slug",
        "old_slugs",
        "category",
        "level",
        "status",
        "promise",
        "summary",
        "featured",
        "prices",
        "capacity",
        "access_days",
        "position",
        "outcomes",
        "good_fit",
        "not_fit",
        "includes",
        "faq",
        "author",
        "author_bio",
    }
)
LONGEST_SLUG = 120
LONGEST_SECTION_TITLE = 160
LONGEST_LESSON_TITLE = 200
MOST_LESSONS = 500
MOST_MINUTES = 10_000
HEADING = re.compile(r"(#{1,2})[ \t]+(.+?)[ \t]*")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
LESSON_MARKS = re.compile(r"(.*?)[ \t]*\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class LessonFile:
    """One lesson. drip_days none: open at once."""

    title: str
    slug: str
    body: str
    minutes: int = 0
    is_preview: bool = False
    drip_days: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SectionFile:
    """One section and its lessons in order."""

    title: str
    summary: str = ""
    lessons: tuple[LessonFile, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseFile:
    """Everything about a course that an author decides. prices are (minor units, currency), one for each currency;
    faq are (question, answer in Markdown); capacity none: no limit; access_days none: access does not end."""

    title: str
    slug: str
    category: str
    old_slugs: tuple[str, ...] = ()
    level: str = "beginner"
    status: str = "published"
    promise: str = ""
    summary: str = ""
    description: str = ""
    is_featured: bool = False
    prices: tuple[tuple[int, str], ...] = ()
    capacity: int | None = None
    access_days: int | None = None
    position: int = 0
    outcomes: tuple[str, ...] = ()
    good_fit: tuple[str, ...] = ()
    not_fit: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    faq: tuple[tuple[str, str], ...] = ()
    author: str = ""
    author_bio: str = ""
    sections: tuple[SectionFile, ...] = ()


def parse_course_file(text: str, name: str) -> CourseFile:
    """Read a course. name is what problems call the file. Raises FileProblem with file, line or field."""
    document = read_front_matter(text, name)
    head = HeadReader(document, known=FIELDS)
    description, sections = _parse_body(document)
    title = head.text("title", longest=160)
    return CourseFile(
        title=title,
        slug=head.slug("slug", longest=LONGEST_SLUG, default=slugify_heading(title)[:LONGEST_SLUG].strip("-")),
        old_slugs=tuple(sorted(set(head.slugs("old_slugs", longest=LONGEST_SLUG)))),
        category=head.text("category", longest=80),
        level=head.choice("level", choices=LEVELS, default="beginner"),
        status=head.choice("status", choices=STATUSES, default="published"),
        promise=head.text("promise", longest=200, default=""),
        summary=head.text("summary", longest=2000, default=""),
        description=description,
        is_featured=head.flag("featured"),
        prices=_parse_prices(head),
        capacity=head.optional_integer("capacity", least=0),
        access_days=head.optional_integer("access_days", least=1),
        position=head.integer("position", default=0),
        outcomes=head.texts("outcomes", longest=300),
        good_fit=head.texts("good_fit", longest=300),
        not_fit=head.texts("not_fit", longest=300),
        includes=head.texts("includes", longest=300),
        faq=_parse_faq(head),
        author=head.text("author", longest=120, default=""),
        author_bio=head.text("author_bio", longest=2000, default=""),
        sections=sections,
    )


def format_course_file(course: CourseFile) -> str:
    """The file that parse_course_file() reads back as the same course."""
    head: dict[str, Any] = {"title": course.title, "slug": course.slug}
    if course.old_slugs:
        head["old_slugs"] = list(course.old_slugs)
    head |= {"category": course.category, "level": course.level, "status": course.status}
    texts = {"promise": course.promise, "summary": course.summary}
    head |= {key: value for key, value in texts.items() if value}
    head |= {
        "featured": course.is_featured,
        "prices": [f"{to_decimal(amount, currency)} {currency.upper()}" for amount, currency in course.prices],
        "capacity": course.capacity,
        "access_days": course.access_days,
        "position": course.position,
    }
    lists = {key: list(getattr(course, key)) for key in ("outcomes", "good_fit", "not_fit", "includes")}
    head |= {key: value for key, value in lists.items() if value}
    if course.faq:
        head["faq"] = [{"question": question, "answer": answer} for question, answer in course.faq]
    texts = {"author": course.author, "author_bio": course.author_bio}
    head |= {key: value for key, value in texts.items() if value}
    return write_front_matter(head, "\n\n".join(_format_body(course)))


def find_reserved_heading(text: str) -> int | None:
    """The line (from 1) of a "# " or "## " heading in a text, where it would begin a lesson of its own; else None."""
    for number, _line, heading in _scan(text):
        if heading:
            return number
    return None


def _format_body(course: CourseFile) -> list[str]:
    parts = [course.description] if course.description else []
    for section in course.sections:
        parts.append(f"# {section.title}" + (f"\n{section.summary}" if section.summary else ""))
        for lesson in section.lessons:
            marks = [f"#{lesson.slug}", f"minutes={lesson.minutes}"]
            marks += ["preview"] if lesson.is_preview else []
            marks += [f"drip={lesson.drip_days}"] if lesson.drip_days is not None else []
            parts.append(f"## {lesson.title} {{{' '.join(marks)}}}" + (f"\n{lesson.body}" if lesson.body else ""))
    return parts


def _parse_prices(head: HeadReader) -> tuple[tuple[int, str], ...]:
    prices = []
    for text in head.texts("prices", longest=40):
        try:
            amount, currency = parse_price(text)
            check_price(amount, currency)
        except MoneyError as error:
            raise head.problem("prices", str(error)) from error
        prices.append((amount, currency))
    currencies = [currency for _amount, currency in prices]
    if len(set(currencies)) != len(currencies):
        raise head.problem("prices", "Give one price for each currency.")
    return tuple(sorted(prices, key=lambda price: price[1]))


def _parse_faq(head: HeadReader) -> tuple[tuple[str, str], ...]:
    faq = []
    for item in head.items("faq"):
        texts = [item.get("question"), item.get("answer")] if isinstance(item, dict) and len(item) == 2 else []  # noqa: PLR2004
        pair = [text.strip() for text in texts if isinstance(text, str) and text.strip()]
        if len(pair) != 2:  # noqa: PLR2004 - a question and its answer
            raise head.problem("faq", "Each entry needs a question and an answer, and nothing else.")
        faq.append((pair[0], pair[1]))
    return tuple(faq)


def _scan(text: str) -> list[tuple[int, str, re.Match[str] | None]]:
    """Lines with their number and, outside fenced code, the heading of level 1 or 2 they are."""
    lines = []
    fence = ""
    for number, line in enumerate(text.split("\n"), start=1):
        found = FENCE.fullmatch(line)
        heading = None if fence else HEADING.fullmatch(line)
        if found and not fence and not (found[1][0] == "`" and "`" in found[2]):
            fence = found[1]
        elif found and fence and found[1][0] == fence[0] and len(found[1]) >= len(fence) and not found[2].strip():
            fence = ""
        lines.append((number, line, heading))
    return lines


def _parse_body(document: Document) -> tuple[str, tuple[SectionFile, ...]]:
    description: list[str] = []
    sections: list[tuple[str, list[str], list[tuple[int, str, list[str]]]]] = []
    for number, line, heading in _scan(document.body):
        place = document.first_line + number - 1
        if heading is None:
            texts = description if not sections else sections[-1][2][-1][2] if sections[-1][2] else sections[-1][1]
            texts.append(line)
        elif heading[1] == "#":
            if len(heading[2]) > LONGEST_SECTION_TITLE:
                raise FileProblem(document.name, f"line {place}", "The section's title is too long.")
            sections.append((heading[2], [], []))
        elif not sections:
            raise FileProblem(document.name, f"line {place}", "A lesson must come after a section (“# Title”).")
        else:
            sections[-1][2].append((place, heading[2], []))
    made = tuple(
        SectionFile(
            title=title,
            summary="\n".join(summary).strip(),
            lessons=tuple(_parse_lesson(document, *lesson) for lesson in lessons),
        )
        for title, summary, lessons in sections
    )
    slugs = [lesson.slug for section in made for lesson in section.lessons]
    twice = next((slug for slug in slugs if slugs.count(slug) > 1), None) if len(set(slugs)) < len(slugs) else None
    if twice or len(slugs) > MOST_LESSONS:
        fact = f"Two lessons have the address “{twice}”." if twice else f"More than {MOST_LESSONS} lessons."
        raise FileProblem(document.name, "", fact)
    return "\n".join(description).strip(), made


def _parse_lesson(document: Document, line: int, heading: str, texts: list[str]) -> LessonFile:
    def problem(fact: str) -> FileProblem:
        return FileProblem(document.name, f"line {line}", fact)

    found = LESSON_MARKS.fullmatch(heading)
    title, marks = (found[1], found[2].split()) if found else (heading, [])
    if not title or len(title) > LONGEST_LESSON_TITLE:
        raise problem(f"The lesson's title must have 1 to {LONGEST_LESSON_TITLE} characters.")
    slug = slugify_heading(title)[:LONGEST_SLUG].strip("-")
    numbers: dict[str, int | None] = {"minutes": 0, "drip": None}
    is_preview = False
    for mark in marks:
        key, _, value = mark.partition("=")
        if mark == "preview":
            is_preview = True
        elif mark.startswith("#") and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", mark[1:]) and len(mark) <= LONGEST_SLUG:
            slug = mark[1:]
        elif key in numbers and re.fullmatch(r"[0-9]{1,5}", value) and int(value) <= MOST_MINUTES:
            numbers[key] = int(value)
        else:
            raise problem(f"“{mark[:40]}” is not understood: use #address, minutes=15, preview or drip=7.")
    body = "\n".join(texts).strip("\n").rstrip()
    if len(body) > LONGEST_TEXT:
        raise problem("The lesson's text is too long.")
    return LessonFile(
        title=title, slug=slug, body=body, minutes=numbers["minutes"] or 0, is_preview=is_preview,
        drip_days=numbers["drip"],
    )  # fmt: skip
