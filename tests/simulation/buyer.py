"""Somebody with a browser: cookies, a network address and an e-mail address of their own."""

import re
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tests.simulation.client import Answer, send, send_form
from tests.simulation.harness import Shop

SESSION_ID = re.compile(r"/c/pay/(cs_test_\w+)")
TRIES = 3


@dataclass
class Buyer:
    """One person of one seed. user_id None: a guest."""

    shop: Shop
    number: int
    email: str
    check: Callable[[str, Answer], None]
    user_id: int | None = None
    cookie: str = ""
    session_ids: dict[str, list[str]] = field(default_factory=dict)  # by course, in the order they were handed out
    orders: set[str] = field(default_factory=set)  # public ids that the shop showed this browser
    courses: set[str] = field(default_factory=set)  # of which a seat was promised to them

    def enroll(self, course: str, fields: dict[str, str], *, clicks: int, pool: Executor) -> list[Answer]:
        """Press the button, so often at once; presses again when the connection breaks, as people do."""
        if not self.cookie:
            self._press(fields)
        return list(pool.map(lambda _: self._press_patiently(course, fields), range(clicks)))

    def get(self, path: str) -> Answer:
        answer = send(self.shop.url + path, headers=self._headers())
        self.check("page", answer)
        self._keep_cookie(answer)
        return answer

    def post(self, path: str, fields: dict[str, str], *, kind: str = "page") -> Answer:
        answer = send_form(self.shop.url + path, fields, {**self._headers(), "Sec-Fetch-Site": "same-origin"})
        self.check(kind, answer)
        self._keep_cookie(answer)
        return answer

    def come_back(self, session_id: str) -> Answer:
        return self.get(f"/checkout/success?session_id={session_id}")

    def _press_patiently(self, course: str, fields: dict[str, str]) -> Answer:
        for _ in range(TRIES):
            answer = self._press(fields)
            if answer.status is not None:
                break
        self._remember(course, answer)
        return answer

    def _press(self, fields: dict[str, str]) -> Answer:
        """A browser's first purchase is sent around once for its cookie."""
        path = "/checkout"
        for _ in range(2):
            headers = {**self._headers(), "Sec-Fetch-Site": "same-origin"}
            if not self.cookie:
                headers["Sec-Fetch-Mode"] = "navigate"
            answer = send_form(self.shop.url + path, fields, headers)
            self.check("checkout", answer)
            self._keep_cookie(answer)
            if answer.status != 307:
                break
            path = answer.location
        return answer

    def _remember(self, course: str, answer: Answer) -> None:
        found = SESSION_ID.search(answer.location)
        if found is not None:
            self.session_ids.setdefault(course, []).append(found.group(1))
        query = parse_qs(urlsplit(answer.location).query)
        self.orders.update(query.get("order", ()))

    def _headers(self) -> dict[str, str]:
        headers = {"X-Forwarded-For": f"10.0.0.{self.number + 1}"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        return headers

    def _keep_cookie(self, answer: Answer) -> None:
        for cookie in answer.cookies:
            if cookie.startswith("session="):
                self.cookie = cookie.partition(";")[0]
