"""Visitors' pages that need not be made again: the same facts give the same bytes.

What a page shows is read from the database on every request. Only the making of HTML from those facts, which costs
five times as much as reading them, is skipped when the facts are equal to the last ones; nothing has to be invalidated.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock

import brotli  # type: ignore[import-untyped]

# Long posts have 40 KB: ten megabytes at most.
MOST_PAGES = 256
QUALITY = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class RememberedPage:
    """A finished page, plain and compressed, and its entity tag."""

    body: bytes
    brotli_body: bytes
    etag: str


class PageMemory:
    """The pages used last, by what they were made of. Safe to share between threads."""

    def __init__(self, size: int = MOST_PAGES) -> None:
        self._size = size
        self._pages: OrderedDict[Hashable, RememberedPage] = OrderedDict()
        self._lock = Lock()

    def find(self, facts: Hashable) -> RememberedPage | None:
        """The page made of equal facts, if it is still here."""
        with self._lock:
            page = self._pages.get(facts)
            if page is not None:
                self._pages.move_to_end(facts)
            return page

    def keep(self, facts: Hashable, html: str) -> RememberedPage:
        """Finish a page and keep it in place of the one not used for longest."""
        body = html.encode()
        page = RememberedPage(
            body=body,
            brotli_body=brotli.compress(body, mode=brotli.MODE_TEXT, quality=QUALITY),
            etag=hashlib.blake2b(body, digest_size=12).hexdigest(),
        )
        with self._lock:
            self._pages[facts] = page
            while len(self._pages) > self._size:
                self._pages.popitem(last=False)
        return page
