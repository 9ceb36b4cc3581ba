"""Course files: what they say, and that every problem is a sentence with its place."""

import pytest

from app.catalog.course_files import format_course_file, parse_course_file
from app.front_matter import FileProblem
from tests.shop import CONTENT, course_text


def test_a_file_says_sections_lessons_and_prices() -> None:
    course = parse_course_file(course_text(prices="[20.00 USD, 500 JPY]"), "small.md")

    assert course.prices == ((500, "jpy"), (2000, "usd"))
    assert course.description == "What it is about."
    assert [(section.title, section.summary) for section in course.sections] == [
        ("Start", "The first part."),
        ("End", ""),
    ]
    first = course.sections[0].lessons[0]
    assert (first.title, first.slug, first.minutes, first.is_preview, first.body) == (
        "One", "one", 5, True, "Open text.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("prices", "read"),
    [
        ("[]", ()),
        ("[0.00 USD]", ((0, "usd"),)),
        ("[0.50 USD, 0.30 GBP]", ((30, "gbp"), (50, "usd"))),
        ("[97.00 USD, 89.50 EUR, 9800 JPY, 29.990 KWD, 13500 ISK, 0 GBP]",
         ((8950, "eur"), (0, "gbp"), (1_350_000, "isk"), (9800, "jpy"), (29_990, "kwd"), (9700, "usd"))),
    ],
)  # fmt: skip
def test_prices_in_any_currency_are_written_as_they_were_read(prices: str, read: tuple[tuple[int, str], ...]) -> None:
    course = parse_course_file(course_text(prices=prices, capacity="30"), "small.md")

    assert (course.prices, course.capacity) == (read, 30)
    assert parse_course_file(format_course_file(course), "again.md") == course


@pytest.mark.parametrize("path", sorted((CONTENT / "courses").glob("*.md")), ids=lambda path: path.stem)
def test_every_demo_course_reads_back_as_it_was_written(path) -> None:  # type: ignore[no-untyped-def]
    course = parse_course_file(path.read_text(), path.name)

    assert parse_course_file(format_course_file(course), "again.md") == course


def test_a_number_sign_in_fenced_code_is_no_heading() -> None:
    text = course_text() + "\n```sh\n# not a section\n## not a lesson\n```\n"

    course = parse_course_file(text, "small.md")

    assert len(course.sections) == 2
    assert "# not a section" in course.sections[1].lessons[0].body
    assert parse_course_file(format_course_file(course), "again.md") == course


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("no head", "small.md, line 1: The file must begin with a head between two lines of three hyphens."),
        ("---\ntitle: x\n", "small.md: The head has no end: close it with a line of three hyphens."),
        (course_text(titel="x"), "small.md, field titel: There is no such field. Check its spelling."),
        (course_text(title="[1"), "small.md, line 3: The head is not readable as YAML: "),
        (course_text(title="5"), "small.md, field title: It must be text: put 5 in quotes."),
        (course_text(level="expert"), "small.md, field level: It must be one of beginner, intermediate, advanced."),
        (course_text(prices="[97]"), "small.md, field prices: It must be text: put 97 in quotes."),
        (course_text(prices='["97"]'), "small.md, field prices: Write a price as amount and currency"),
        (course_text(prices="[1.00 USD, 2.00 USD]"), "small.md, field prices: Give one price for each currency."),
        (course_text(prices="[0.49 USD]"), "small.md, field prices: A price must be 0 or at least $0.50: cards take nothing smaller."),
        (course_text(prices="[9.00 USD, 49 JPY]"), "small.md, field prices: A price must be 0 or at least ¥50"),
        (course_text(prices="[5.125 KWD]"), "small.md, field prices: The last decimal of an amount in KWD must be 0."),
        (course_text(prices="[5.50 ISK]"), "small.md, field prices: Amounts in ISK must be whole"),
        (course_text(prices="[5.50 XXX]"), "small.md, field prices: There is no such currency. Use a code such as USD"),
        (course_text(slug="Not A Slug"), "small.md, field slug: “Not A Slug” is no address"),
        (course_text(capacity="-1"), "small.md, field capacity: It must be a whole number from 0 up, or null."),
        (course_text(capacity="9999999999999"), "small.md, field capacity: It must be a whole number"),
        (course_text(featured="1"), "small.md, field featured: It must be true or false."),
        (course_text(faq="[yes]"), "small.md, field faq: Each entry needs a question and an answer"),
        (course_text(outcomes="&a [*a]"), "small.md, line 6: The head is not readable as YAML: aliases are not used"),
        (course_text() + "## Two {#two}\n", "small.md: Two lessons have the address “two”."),
        (course_text() + "## Four {minutes=x}\n", "small.md, line 22: “minutes=x” is not understood"),
        ("---\ntitle: a\ntitle: b\n---\n", "small.md, line 3: The head is not readable as YAML: “title” stands here a second time"),
        (course_text(title="a\x00b"), "small.md, line 2: Remove the control character."),
        ("---\n- a\n---\n", "small.md, line 1: The head must be made of lines such as"),
        ("---\ntitle: !!python/object/apply:os.system [ls]\n---\n", "small.md, line 2: The head is not readable as YAML"),
    ],
)  # fmt: skip
def test_a_problem_is_a_sentence_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(FileProblem) as caught:
        parse_course_file(text, "small.md")

    assert caught.value.sentence.startswith(sentence), caught.value.sentence
