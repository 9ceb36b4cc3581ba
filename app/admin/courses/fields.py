"""What the course forms are made of: fields whose refusals are sentences of ours."""

from collections.abc import Iterable
from typing import Any

from flask_wtf import FlaskForm
from wtforms import IntegerField, SelectField
from wtforms.validators import Length, ValidationError

from app.admin.fields import make_choices
from app.errors import AppError

CHOOSE = "Choose one of the list."


class AdminForm(FlaskForm):
    """A form of the back-office: a service's refusal becomes the error of the field it names."""

    def note_refusal(self, error: AppError, default_field: str) -> None:
        """Put the sentence of a service's error at its field."""
        name = error.field if error.field in self._fields else default_field
        self._fields[name].errors = [*self._fields[name].errors, error.sentence]

    def list_errors(self) -> dict[str, str]:
        """By the id of the field: its first error, in the order of the form; for the summary."""
        found: dict[str, str] = {}
        for field in self:
            inner = getattr(field, "entries", None)
            if inner is not None:
                found |= {part.id: part.errors[0] for entry in inner for part in entry if part.errors}
            elif field.name == "csrf_token" and field.errors:
                found["main"] = "This page was open too long. Send the form again"
            elif field.errors:
                found[field.id] = field.errors[0]
        return found


class WholeNumberField(IntegerField):
    """A whole number; empty is None."""

    def process_formdata(self, valuelist: list[str]) -> None:
        text = valuelist[0].strip() if valuelist else ""
        if text and not (text.isascii() and text.isdigit() and len(text) <= 9):  # noqa: PLR2004 - fits any column
            self.data = None
            raise ValueError("Enter a whole number.")
        self.data = int(text) if text else None


class ChoiceField(SelectField):
    """A list to choose from: (value, label) pairs, given at once or by offer()."""

    def __init__(self, label: str, pairs: Iterable[tuple[str, str]] = (), **options: Any) -> None:
        super().__init__(label, **options)
        self.offer(pairs)

    def offer(self, pairs: Iterable[tuple[str, str]]) -> None:
        """What can be chosen."""
        self.choices = make_choices(pairs)

    def pre_validate(self, form: Any) -> None:  # noqa: ARG002 - WTForms' signature
        if self.data not in {value for value, *_ in self.iter_choices()}:
            raise ValidationError(CHOOSE)


def at_most(longest: int) -> Length:
    """No more than so many characters."""
    return Length(max=longest, message=f"Use at most {longest:,} characters.")
