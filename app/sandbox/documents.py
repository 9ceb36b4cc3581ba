"""What a Stripe object is in here: a plain JSON document, and how its id is made."""

import secrets
import string
from typing import Any

Document = dict[str, Any]

API_VERSION = "2026-10-28.endive"
_LETTERS = string.ascii_letters + string.digits
# Each of the 256 bytes as one of the letters; that some are a little likelier leaves ids no easier to guess.
_TABLE = bytes(ord(_LETTERS[byte % len(_LETTERS)]) for byte in range(256))

# Sessions carry the mode in their id; the rest of the prefixes are Stripe's short ones.
_LENGTHS = {"cs_test": 58, "whsec": 32}


def new_id(prefix: str) -> str:
    """An id such as `pi_3b…`: the prefix, an underscore and letters nobody can guess."""
    length = _LENGTHS.get(prefix, 24)
    return f"{prefix}_{secrets.token_bytes(length).translate(_TABLE).decode()}"


def words(text: str) -> tuple[str, ...]:
    """Names written one after the other: long lists of Stripe's stay readable so."""
    return tuple(text.split())
