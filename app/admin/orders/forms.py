"""What the back-office's forms about orders take: every field's type and limits. No database inside."""

from flask_wtf import FlaskForm
from wtforms import DateField, EmailField, SelectField, StringField, TextAreaField
from wtforms.fields import Field
from wtforms.validators import DataRequired, Length, Optional, ValidationError

from app.accounts.emails import LONGEST_ADDRESS, normalize_email
from app.errors import InvalidInput

LONGEST_REASON = 200
LONGEST_NOTE = 2000


class EmailAddress:
    """The field holds one address: normalized when it is one, as it was typed when not."""

    def __call__(self, _form: FlaskForm, field: Field) -> None:
        try:
            field.data = normalize_email(field.data or "")
        except InvalidInput as error:
            raise ValidationError(error.sentence) from error


def _at_most(count: int) -> Length:
    return Length(max=count, message=f"Use at most {count} characters.")


class NoteForm(FlaskForm):
    """A note that only the team sees."""

    text = TextAreaField("Note", validators=[DataRequired("Write the note first."), _at_most(LONGEST_NOTE)])


class MoveForm(FlaskForm):
    """Another address for a purchase."""

    to_email = EmailField(
        "New email address",
        validators=[DataRequired("Enter the new address."), _at_most(LONGEST_ADDRESS), EmailAddress()],
    )
    proof = TextAreaField(
        "How do you know it’s theirs?",
        validators=[DataRequired("Say how you know that the order is theirs."), _at_most(1000)],
    )


class FreeSeatForm(FlaskForm):
    """A course for somebody who does not pay; the view sets the courses."""

    email = EmailField(
        "Email address",
        validators=[DataRequired("Enter their email address."), _at_most(LONGEST_ADDRESS), EmailAddress()],
    )
    name = StringField("Name", validators=[Optional(), _at_most(120)])
    course = SelectField("Course", validators=[DataRequired("Choose a course.")])
    reason = StringField(
        "Reason", validators=[DataRequired("Say why they get it: the reason is kept."), _at_most(LONGEST_REASON)]
    )
    expires_on = DateField("Last day", validators=[Optional()])
