"""One identity for each address, and refusal of everything that is not exactly one."""

import pytest

from app.accounts.emails import normalize_email
from app.errors import InvalidInput


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Maya@Example.ORG", "maya@example.org"),
        ("  maya@example.org\t", "maya@example.org"),
        ("ｍａｙａ＠ｅｘａｍｐｌｅ．ｏｒｇ", "maya@example.org"),
        ("maya@BÜCHER.example.org", "maya@xn--bcher-kva.example.org"),
        ("maya@xn--bcher-kva.example.org", "maya@xn--bcher-kva.example.org"),
        ("maya.o+shop@example.org", "maya.o+shop@example.org"),
        ("maya@example.org\n", "maya@example.org"),
        ("K@example.org", "k@example.org"),
    ],
)
def test_an_address_is_stored_one_way(typed: str, stored: str) -> None:
    assert normalize_email(typed) == stored
    assert normalize_email(stored) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "maya", "@example.org", "maya@", "maya@example", "maya@@example.org", "a@b@example.org",
        "maya@example.org, other@example.org", "maya@example.org;other@example.org", "maya@example.org other@example.org",
        "maya@example.org\nBcc: other@example.org", "maya@example.org\r\nBcc:x@example.org", "ma\x00ya@example.org",
        "Maya <maya@example.org>", "<maya@example.org>", '"maya"@example.org', "maya@[127.0.0.1]", "maya@localhost",
        "мaya@example.org", "maya@exam ple.org", "maya@example..org", ".maya@example.org", "a" * 65 + "@example.org",
        "maya@" + "a" * 250 + ".org", "a" * 100_000, "maya@-example.org", "\ud800@example.org",
        "maya%0aBcc:x@example.org\u2028", "javascript:alert(1)", "maya@example.org/../x", "\u202emaya@example.org",
    ],
)  # fmt: skip
def test_what_is_not_one_deliverable_address_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        normalize_email(typed)

    assert refusal.value.field == "email"
    assert refusal.value.sentence == "Enter an email address like name@example.com."
