"""The mails that have reached people, and the links in them."""

import re
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path

CLAIM = re.compile(r"(/seats/claim/[\w.~-]+)")
ORDER = re.compile(r"(/orders/[\w.~-]+)")


@dataclass(frozen=True)
class Letter:
    """One mail, its text as a mail program shows it."""

    to: str
    subject: str
    text: str


@dataclass
class Mailbox:
    """Everybody's mails. A mail never changes, so each is read once."""

    folder: Path
    _read: dict[str, Letter] = field(default_factory=dict)

    def list_letters(self, address: str) -> list[Letter]:
        """What has reached an address, in no order that means anything."""
        if self.folder.is_dir():
            for path in self.folder.glob("*.eml"):
                if path.name not in self._read:
                    self._read[path.name] = _read(path)
        return [letter for _, letter in sorted(self._read.items()) if letter.to == address]

    def list_claim_links(self, address: str) -> list[str]:
        """Paths that take a seat, good ones and dead ones, each once."""
        return sorted({link for letter in self.list_letters(address) for link in CLAIM.findall(letter.text)})

    def find_order_link(self, address: str, number: int) -> str | None:
        """The path of the order page that the receipt leads to."""
        receipts = [each for each in self.list_letters(address) if each.subject.startswith("Your receipt")]
        links = [link for each in receipts if f"-{number}" in each.subject for link in ORDER.findall(each.text)]
        return links[0] if links else None


def _read(path: Path) -> Letter:
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    body = mail.get_body(("plain",))
    return Letter(to=str(mail["To"]), subject=str(mail["Subject"]), text="" if body is None else body.get_content())
