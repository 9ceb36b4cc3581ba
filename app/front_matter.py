"""Text files with a head of YAML over Markdown: read without trust, problems as sentences with file and field."""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from frontmatter.default_handlers import YAMLHandler

from app.errors import AppError

LARGEST_FILE = 1_000_000
LARGEST_INTEGER = 1_000_000_000
LONGEST_LIST = 100
SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# Controls other than tab and line end, and lone surrogates: no person typed them, and PostgreSQL refuses some.
UNUSABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
WIDE_LINES = 10_000


class FileProblem(AppError):
    """A file that can't be used; the sentence names it and the place in it."""

    code = "file_problem"
    status = 422
    title = "This file can’t be imported"

    def __init__(self, name: str, place: str, fact: str) -> None:
        super().__init__(f"{name}{', ' if place else ''}{place}: {fact}")


class _Loader(yaml.SafeLoader):
    """YAML without aliases (they can grow without end) and without a key given twice (the last would win silently)."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not used here", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[str] = set()
        for key, _value in node.value:
            if str(key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"“{key.value}” stands here a second time", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A file's head and body; first_line is the body's first line, counted in the file from 1."""

    name: str
    head: dict[str, Any]
    body: str
    first_line: int


def read_front_matter(text: str, name: str) -> Document:
    """Split and parse a file. name is what problems call it. Raises FileProblem."""
    if len(text) > LARGEST_FILE:
        raise FileProblem(name, "", "The file is larger than a course or post can be.")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found = UNUSABLE.search(text)
    if found:
        raise FileProblem(name, f"line {text.count(chr(10), 0, found.start()) + 1}", "Remove the control character.")
    handler = YAMLHandler()
    if not handler.detect(text):
        raise FileProblem(name, "line 1", "The file must begin with a head between two lines of three hyphens.")
    try:
        head_text, body = handler.split(text)
    except ValueError as error:
        raise FileProblem(name, "", "The head has no end: close it with a line of three hyphens.") from error
    try:
        head = yaml.load(head_text, Loader=_Loader)  # noqa: S506 - a SafeLoader made stricter
    except RecursionError as error:
        raise FileProblem(name, "", "The head is nested too deeply.") from error
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else "head"
        fact = getattr(error, "problem", None) or str(error)
        raise FileProblem(name, place, f"The head is not readable as YAML: {fact}.") from error
    if not isinstance(head, dict) or not all(isinstance(key, str) for key in head):
        raise FileProblem(name, "line 1", "The head must be made of lines such as “title: My course”.")
    return Document(name=name, head=head, body=body, first_line=text[: len(text) - len(body)].count("\n") + 1)


def write_front_matter(head: dict[str, Any], body: str) -> str:
    """The text that read_front_matter() reads back; keys keep their order."""
    dumped = yaml.safe_dump(head, allow_unicode=True, sort_keys=False, width=WIDE_LINES)
    return f"---\n{dumped}---\n{body.strip()}\n"


class HeadReader:
    """Typed values of a document's head. Every method raises FileProblem naming the field; none changes anything."""

    def __init__(self, document: Document, *, known: frozenset[str]) -> None:
        self.document = document
        unknown = sorted(set(document.head) - known)
        if unknown:
            raise FileProblem(document.name, f"field {unknown[0]}", "There is no such field. Check its spelling.")

    def problem(self, field: str, fact: str) -> FileProblem:
        return FileProblem(self.document.name, f"field {field}", fact)

    def text(self, field: str, *, longest: int, default: str | None = None) -> str:
        """One line or paragraph of text; required unless there is a default."""
        value = self.document.head.get(field)
        if value is None:
            if default is None:
                raise self.problem(field, "It is missing.")
            return default
        return self._text(field, value, longest)

    def texts(self, field: str, *, longest: int) -> tuple[str, ...]:
        """A list of texts; none is an empty list."""
        return tuple(self._text(field, value, longest) for value in self.items(field))

    def items(self, field: str) -> list[Any]:
        value = self.document.head.get(field)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > LONGEST_LIST:
            raise self.problem(field, f"It must be a list of at most {LONGEST_LIST} entries.")
        return value

    def slug(self, field: str, *, longest: int, default: str | None = None) -> str:
        return self.check_slug(field, self.text(field, longest=longest, default=default))

    def slugs(self, field: str, *, longest: int) -> tuple[str, ...]:
        return tuple(self.check_slug(field, value) for value in self.texts(field, longest=longest))

    def check_slug(self, field: str, value: str) -> str:
        if not SLUG.fullmatch(value):
            raise self.problem(
                field, f"“{value[:40]}” is no address: use lower-case letters, digits and single hyphens."
            )
        return value

    def choice(self, field: str, *, choices: tuple[str, ...], default: str) -> str:
        value = self.document.head.get(field, default)
        if value not in choices:
            raise self.problem(field, f"It must be one of {', '.join(choices)}.")
        return str(value)

    def flag(self, field: str) -> bool:
        value = self.document.head.get(field, False)
        if not isinstance(value, bool):
            raise self.problem(field, "It must be true or false.")
        return value

    def integer(self, field: str, *, default: int) -> int:
        value = self.optional_integer(field, least=0)
        return default if value is None else value

    def optional_integer(self, field: str, *, least: int) -> int | None:
        value = self.document.head.get(field)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= LARGEST_INTEGER:
            raise self.problem(field, f"It must be a whole number from {least} up, or null.")
        return value

    def moment(self, field: str, *, zone: ZoneInfo) -> datetime | None:
        """A day (its beginning in zone) or a time (in zone unless it says otherwise) as UTC; none when absent."""
        value = self.document.head.get(field)
        if value is None:
            return None
        if isinstance(value, datetime):
            moment = value if value.tzinfo else value.replace(tzinfo=zone)
        elif isinstance(value, date):
            moment = datetime(value.year, value.month, value.day, tzinfo=zone)
        else:
            raise self.problem(field, "It must be a date such as 2026-04-25 or a time such as 2026-04-25T09:00:00Z.")
        try:
            return moment.astimezone(UTC)
        except OverflowError as error:
            raise self.problem(field, "The year is out of range.") from error

    def _text(self, field: str, value: Any, longest: int) -> str:
        if not isinstance(value, str):
            raise self.problem(field, f"It must be text: put {value!r} in quotes." if value is not None else "Empty.")
        cleaned = value.strip()
        if not cleaned or len(cleaned) > longest:
            raise self.problem(field, f"It must have 1 to {longest} characters.")
        return cleaned


def moment_for_head(moment: datetime, zone: ZoneInfo) -> date | datetime:
    """What HeadReader.moment() reads back: a day when the moment is a day's beginning in zone, else a time."""
    local = moment.astimezone(zone)
    if (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0):
        return local.date()
    return moment.astimezone(UTC)
