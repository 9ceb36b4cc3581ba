"""The HTML forms of accounts: every field with its type and limits. No database here; services judge the values."""

from flask_wtf import FlaskForm
from wtforms import EmailField, Form, PasswordField, StringField
from wtforms.validators import DataRequired, EqualTo, InputRequired, Length, ValidationError

from app.accounts.emails import LONGEST_ADDRESS, SENTENCE, normalize_email
from app.accounts.passwords import LONGEST_PASSWORD, PasswordRefused, check_password
from app.accounts.services import LONGEST_NAME
from app.errors import InvalidInput

ENTER_EMAIL = "Enter your email address."
ENTER_PASSWORD = "Enter your password."  # noqa: S105 - a sentence
CHOOSE_PASSWORD = "Choose a password."  # noqa: S105 - a sentence
NOT_THE_SAME = "The two passwords differ."
# What nobody types: longer values are refused before anything is computed with them.
LONGEST_TYPED = 4 * LONGEST_PASSWORD


class EmailAddress:
    """The field holds one address: normalized when it is valid, as it was typed when not."""

    def __call__(self, _form: Form, field: EmailField) -> None:
        try:
            field.data = normalize_email(field.data or "")
        except InvalidInput as error:
            raise ValidationError(error.sentence) from error


def _email_field() -> EmailField:
    return EmailField(
        "Email address", validators=[DataRequired(ENTER_EMAIL), Length(max=2 * LONGEST_ADDRESS, message=SENTENCE),
                                     EmailAddress()]
    )  # fmt: skip


def _password_field(label: str = "Password") -> PasswordField:
    return PasswordField(
        label,
        validators=[InputRequired(ENTER_PASSWORD), Length(max=LONGEST_TYPED, message="That isn’t your password.")],
    )


def _new_password_field(label: str) -> PasswordField:
    return PasswordField(label, validators=[InputRequired(CHOOSE_PASSWORD)])


def _again_field(name: str) -> PasswordField:
    return PasswordField("The same password again", validators=[EqualTo(name, NOT_THE_SAME)])


def _judge(field: PasswordField, email: str) -> None:
    try:
        check_password(field.data or "", email=email)
    except PasswordRefused as error:
        raise ValidationError(error.sentence) from error


class AccountForm(FlaskForm):
    """What these forms share: nothing but the token, which Flask-WTF adds."""


class SignInForm(AccountForm):
    """Address and password."""

    email = _email_field()
    password = _password_field()


class RegisterForm(AccountForm):
    """A new account."""

    name = StringField(
        "Name",
        validators=[
            DataRequired("Enter your name."),
            Length(max=LONGEST_NAME, message=f"Use at most {LONGEST_NAME} characters."),
        ],
    )
    email = _email_field()
    password = _new_password_field("Password")

    def validate_password(self, field: PasswordField) -> None:
        _judge(field, self.email.data or "")


class EmailForm(AccountForm):
    """An address that a link is to be mailed to."""

    email = _email_field()


class VerifyForm(AccountForm):
    """The password once more."""

    password = _password_field()


class ResetPasswordForm(AccountForm):
    """A new password by a mailed link; the service judges it, knowing whose it is."""

    password = _new_password_field("New password")
    password_confirm = _again_field("password")


class AddPasswordForm(AccountForm):
    """A first password for somebody who signs in by link."""

    new_password = _new_password_field("New password")
    new_password_confirm = _again_field("new_password")


class ChangePasswordForm(AddPasswordForm):
    """The present password and the next."""

    password = _password_field("Your password now")


class NameForm(AccountForm):
    """The name on receipts."""

    name = StringField(
        "Name",
        validators=[
            DataRequired("Enter your name."),
            Length(max=LONGEST_NAME, message=f"Use at most {LONGEST_NAME} characters."),
        ],
    )
