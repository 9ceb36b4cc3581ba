"""What people paste: every list gives its addresses, every bad line its number (attacks A48, A62)."""

import time

import pytest

from app.enrollment.address_lists import LONGEST_LIST, BadLine, parse_addresses
from app.errors import InvalidInput

ONE = ("maya@example.org",)
TWO = ("maya@example.org", "nia@example.org")


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("maya@example.org", ONE),
        ("  maya@example.org  \n", ONE),
        ("maya@example.org, nia@example.org", TWO),
        ("maya@example.org;nia@example.org;", TWO),
        ("maya@example.org\nnia@example.org", TWO),
        ("maya@example.org\r\n\r\nnia@example.org\r\n", TWO),
        ("maya@example.org nia@example.org", TWO),
        ("maya@example.org\tnia@example.org", TWO),
        ("Maya Okafor <maya@example.org>", ONE),
        ("Maya <maya@example.org>, Nia <nia@example.org>", TWO),
        ('"Okafor, Maya" <maya@example.org>; "Newcomer, Nia" <nia@example.org>', TWO),
        ("Okafor, Maya <maya@example.org>", ONE),
        ("<maya@example.org>", ONE),
        ("mailto:maya@example.org", ONE),
        ("'maya@example.org',", ONE),
        ("“maya@example.org”", ONE),
        ("(maya@example.org).", ONE),
        ("Maya maya@example.org", ONE),
        ("email\nmaya@example.org\nnia@example.org", TWO),
        ("Name,E-Mail,Team\nMaya,maya@example.org,Sales\nNia,nia@example.org,IT", TWO),
        ('"Name";"Email address"\n"Maya";"maya@example.org"\n"Nia";"nia@example.org"', TWO),
        ("\ufeffemail\nmaya@example.org", ONE),
        ("MAYA@Example.ORG", ONE),
        ("ｍａｙａ＠example.org", ONE),
        ("maya@EXAMPLE.org\x0bnia@example.org", TWO),
        ("maya+sales@example.org", ("maya+sales@example.org",)),
        ("m.aya@example.org", ("m.aya@example.org",)),
        ("maya@bücher.example", ("maya@xn--bcher-kva.example",)),
        ("maya@example.org,,,;;\n,;\n \t ", ONE),
    ],
)
def test_every_way_to_write_a_list_gives_its_addresses(text: str, addresses: tuple[str, ...]) -> None:
    parsed = parse_addresses(text)

    assert (parsed.addresses, parsed.repeated, parsed.bad_lines) == (addresses, (), ())


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("maya@example.org\nmaya@example.org", ONE),
        ("maya@example.org, MAYA@example.org, Maya <maya@EXAMPLE.org>", ONE),
        (
            "maya@example.org\nnia@example.org\nnia@example.org maya@example.org",
            ("nia@example.org", "maya@example.org"),
        ),
    ],
)
def test_an_address_counts_once(text: str, repeated: tuple[str, ...]) -> None:
    parsed = parse_addresses(text)

    assert parsed.repeated == repeated
    assert len(set(parsed.addresses)) == len(parsed.addresses)


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("maya@example.org\nnobody\n", [(2, "nobody")]),
        ("maya@example.org\n\n\nnia@nowhere\nmaya@", [(4, "nia@nowhere"), (5, "maya@")]),
        ("@example.org", [(1, "@example.org")]),
        ("Maya <not an address>", [(1, "not an address")]),
        ("a@b@example.org", [(1, "a@b@example.org")]),
        ("maya@example.org\nsomebody else entirely", [(2, "somebody else entirely")]),
        ("<script>alert(1)</script>", [(1, "/script")]),
        ("maya@example.org%0d%0aBcc:x@example.org", [(1, "maya@example.org%0d%0aBcc:x@example.org")]),
        ("maya\x00@example.org", [(1, "maya�@example.org")]),
        ("x" * 300 + "@example.org", [(1, "x" * 59 + "…")]),
        ('=HYPERLINK("evil")', [(1, '=HYPERLINK("evil")')]),
    ],
)
def test_what_is_no_address_is_told_with_its_line(text: str, bad: list[tuple[int, str]]) -> None:
    parsed = parse_addresses(text)

    assert parsed.bad_lines == tuple(BadLine(number=number, text=shown) for number, shown in bad)
    assert all("@" in address and "\n" not in address for address in parsed.addresses)


@pytest.mark.parametrize("text", ["", "  \n \t\n", ",;,", "email"])
def test_an_empty_list_asks_for_an_address(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^Enter at least one email address\.$") as refused:
        parse_addresses(text)

    assert refused.value.field == "addresses"


def test_a_list_beyond_reason_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_addresses("x" * (LONGEST_LIST + 1))

    assert refused.value.sentence == "That’s more than we can read at once. Paste up to 100 addresses."
    assert refused.value.field == "addresses"
    assert len(parse_addresses("a@example.org" + " " * (LONGEST_LIST - 13)).addresses) == 1


@pytest.mark.parametrize(
    "text", ['"' * LONGEST_LIST, "<" * LONGEST_LIST, '",' * (LONGEST_LIST // 2), "a@" * (LONGEST_LIST // 2)]
)
def test_a_list_made_to_be_slow_is_read_in_a_blink(text: str) -> None:
    started = time.process_time()

    parse_addresses(f"maya@example.org\nx{text}"[:LONGEST_LIST])

    assert time.process_time() - started < 2
