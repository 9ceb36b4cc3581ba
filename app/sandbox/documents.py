"""What a Stripe object is in here: a plain JSON document, and how its id is made."""

import secrets
import string
from typing import Any

Document = dict[str, Any]

API_VERSION = "2026-10-28.endive"
_ALPHABET = string.ascii_letters + string.digits

# Sessions carry the mode in their id; the rest of the prefixes are Stripe's short ones.
_LENGTHS = {"cs_test": 58, "whsec": 32}


def new_id(prefix: str) -> str:
    """An id such as `pi_3b…`: the prefix, an underscore and letters nobody can guess."""
    length = _LENGTHS.get(prefix, 24)
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(length))
