"""Members of staff with a browser, one for each role."""

from flask import Flask
from werkzeug.test import TestResponse

from app.accounts.services import grant_role
from tests.accounts.people import SAME_ORIGIN, Browser, make_person

STAFF_ROLES = ("reader", "editor", "support", "admin", "owner")


class Staff(Browser):
    """A browser in which a member of staff has signed in. role "" is a learner."""

    def __init__(self, app: Flask, role: str = "owner") -> None:
        super().__init__(app)
        self.email = f"{role or 'learner'}@example.org"
        self.user = make_person(self.email, name=f"{role.capitalize() or 'Learner'} Person")
        if role:
            grant_role(user_id=self.user.id, role_name=role)
        self.sign_in(self.email)

    @property
    def token(self) -> str:
        """A form token of this browser's session."""
        return self.read_token("/account/profile")

    def send(self, path: str, data: dict[str, object] | None = None) -> TestResponse:
        """A POST as one of our own forms sends it."""
        return self.post(path, {"csrf_token": self.token, **(data or {})}, headers=SAME_ORIGIN)
