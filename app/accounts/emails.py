"""One address, one identity: the single function that decides how an e-mail address is written here."""

import unicodedata

from email_validator import EmailNotValidError, validate_email

from app.errors import InvalidInput

LONGEST_ADDRESS = 254  # RFC 5321: 256 octets of path with its angle brackets
SENTENCE = "Enter an email address like name@example.com."


def normalize_email(text: str) -> str:
    """The stored form of an address: trimmed, NFKC, lower case, its domain in ASCII.

    Dots and "+tags" stay: most mail servers deliver them to different people. Raises InvalidInput (field "email") for
    anything that is not exactly one address that a plain SMTP server can deliver to.
    """
    candidate = unicodedata.normalize("NFKC", text).strip()
    if len(candidate) > LONGEST_ADDRESS:
        raise InvalidInput(SENTENCE, field="email")
    try:
        # Deliverability needs DNS: the mailed link proves more than a lookup could. Names under .test reach nobody, but
        # Stripe takes them: who paid with one must be able to claim what they bought.
        found = validate_email(
            candidate, check_deliverability=False, allow_smtputf8=False, strict=True, test_environment=True
        )
    except (EmailNotValidError, UnicodeError) as error:
        raise InvalidInput(SENTENCE, field="email") from error
    address = (found.ascii_email or "").lower()
    if not address or len(address) > LONGEST_ADDRESS:
        raise InvalidInput(SENTENCE, field="email")
    return address
