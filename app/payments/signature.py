"""Verifies the Stripe-Signature header.

Not the SDK's verifier: stripe 16.1 accepts timestamps from the future, and raises TypeError on non-ASCII headers
(tried, payments.md section 0.1, holes 1 and 2). Source of the scheme: Stripe's webhook documentation, read 2026-11.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

TOLERANCE_SECONDS = 300
# A header is some 100 bytes for each secret; more is an attack on our CPU.
LONGEST_HEADER = 2_000
MOST_SIGNATURES = 16


class SignatureInvalid(Exception):
    """The request is not Stripe's, or is older or newer than the tolerance."""


def verify_signature(*, payload: bytes, header: str, secrets: Sequence[str], moment: datetime) -> None:
    """Raise SignatureInvalid unless one of the secrets signed exactly these bytes within 300 s of moment."""
    timestamp, signatures = _parse_header(header)
    if abs(int(moment.timestamp()) - timestamp) > TOLERANCE_SECONDS:
        raise SignatureInvalid("timestamp")
    signed = str(timestamp).encode() + b"." + payload
    is_ours = False
    for secret in secrets:
        if not secret:
            continue
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
        # Every pair is compared, so that the time taken says nothing.
        for signature in signatures:
            is_ours |= hmac.compare_digest(expected, signature)
    if not is_ours:
        raise SignatureInvalid("signature")


def _parse_header(header: str) -> tuple[int, list[bytes]]:
    if len(header) > LONGEST_HEADER or not header.isascii():
        raise SignatureInvalid("header")
    timestamps: list[str] = []
    signatures: list[bytes] = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            timestamps.append(value)
        elif name == "v1":
            signatures.append(value.encode())
    if len(timestamps) != 1 or not signatures or len(signatures) > MOST_SIGNATURES:
        raise SignatureInvalid("header")
    if not timestamps[0].isdigit() or len(timestamps[0]) > 12:  # noqa: PLR2004 - digits of a far future
        raise SignatureInvalid("timestamp")
    return int(timestamps[0]), signatures
