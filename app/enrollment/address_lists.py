"""Reads the addresses out of what people paste: a column of a spreadsheet, a line from a mail program, a CSV file."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.accounts.emails import normalize_email
from app.errors import InvalidInput

LONGEST_LIST = 40_000  # characters; a hundred long addresses with names are a third of it
HEADINGS = frozenset({"email", "e-mail", "emails", "mail", "email address", "e-mail address", "address"})
SEPARATORS = ",;\t"
# What mail programs and word processors leave around an address.
WRAPPING = " \t.,;:'\"“”‘’()[]<>"
LONGEST_SHOWN = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class BadLine:
    """A line, counted from 1, in which something is no address; text is that something, shortened."""

    number: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AddressList:
    """The addresses in their stored form and order, each once; what stood there again; and what could not be read."""

    addresses: tuple[str, ...]
    repeated: tuple[str, ...]
    bad_lines: tuple[BadLine, ...]


def parse_addresses(text: str) -> AddressList:
    """The addresses in a pasted text, separated by commas, semicolons, tabs, spaces or lines.

    "Name <a@example.org>" and rows such as "Name,a@example.org,Sales" give their address, a heading is passed over.
    Raises InvalidInput (field "addresses") for a text that is empty or longer than LONGEST_LIST.
    """
    if len(text) > LONGEST_LIST:
        raise InvalidInput("That’s more than we can read at once. Paste up to 100 addresses.", field="addresses")
    found: dict[str, None] = {}
    repeated: dict[str, None] = {}
    bad_lines: list[BadLine] = []
    is_first = True
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if not line.strip(WRAPPING):
            continue
        cells = [cell.strip() for cell in _split(line)]
        if is_first and "@" not in line and any(cell.strip(WRAPPING).casefold() in HEADINGS for cell in cells):
            is_first = False
            continue
        is_first = False
        candidates = [candidate for cell in cells for candidate in _find_candidates(cell)]
        for candidate in candidates or [line.strip()]:
            try:
                address = normalize_email(candidate)
            except InvalidInput:
                bad_lines.append(BadLine(number=number, text=_shorten(candidate)))
                continue
            (repeated if address in found else found)[address] = None
    if not found and not bad_lines:
        raise InvalidInput("Enter at least one email address.", field="addresses")
    return AddressList(addresses=tuple(found), repeated=tuple(repeated), bad_lines=tuple(bad_lines))


def _split(line: str) -> Iterator[str]:
    """The cells of a line: separators count, but for those inside quotes or angle brackets that are closed again."""
    start = 0
    closing = ""
    last = {'"': line.rfind('"'), ">": line.rfind(">")}
    for index, character in enumerate(line):
        if closing:
            closing = "" if character == closing else closing
        elif character in '"<':
            wanted = '"' if character == '"' else ">"
            closing = wanted if index < last[wanted] else ""
        elif character in SEPARATORS:
            yield line[start:index]
            start = index + 1
    yield line[start:]


def _find_candidates(cell: str) -> list[str]:
    """What may be addresses in a cell: what stands in angle brackets, else every word with an @."""
    opening, closing = cell.rfind("<"), cell.rfind(">")
    if 0 <= opening < closing:
        return [_clean(cell[opening + 1 : closing])]
    return [_clean(word) for word in cell.split() if "@" in word]


def _clean(text: str) -> str:
    return text.strip(WRAPPING).removeprefix("mailto:").strip(WRAPPING)


def _shorten(text: str) -> str:
    plain = "".join(character if character.isprintable() else "�" for character in text)
    return plain if len(plain) <= LONGEST_SHOWN else plain[: LONGEST_SHOWN - 1] + "…"
