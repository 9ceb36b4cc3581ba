"""Which passwords are taken, and hashing that cannot eat the machine."""

import re
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from flask_security.utils import hash_password as hash_now
from flask_security.utils import verify_password as verify_now

from app.errors import AppError, InvalidInput

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 128
# OWASP's password storage cheat sheet (2025): argon2id with 19 MiB, two passes, one lane.
ARGON2_OPTIONS = {"argon2__memory_cost": 19_456, "argon2__time_cost": 2, "argon2__parallelism": 1}
HASHES_AT_ONCE = 2
LONGEST_WAIT_SECONDS = 10
FEWEST_DIFFERENT_CHARACTERS = 5
# What remains of the common passwords of ten characters and more once digits, signs and "leet" spelling are undone.
COMMON_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        password passwort passw pass admin administrator welcome letmein iloveyou sunshine princess football baseball
        superman batman dragon monkey master shadow michael jennifer jordan liverpool chelsea arsenal starwars pokemon
        qwerty qwertyuiop qwertyui qwertz qwertzuiop azerty azertyuiop asdfghjkl asdfgh asdf zxcvbnm zxcvbn qazwsx
        qazwsxedc qweasd qweasdzxc qweqwe asdasd zxczxc abcdefghij abcdefghijk abcdef abcabc abc trustno whatever
        changeme default secret secretpassword mypassword newpassword testpassword passwordpassword passwordlpassword
        letmeinnow welcomehome login loginlogin testtest test testing guest user root toor hello helloworld internet
        computer samsung google facebook linkedin instagram youtube iloveyousomuch loveyou lovelove mylove babygirl
        cheese butterfly chocolate basketball volleyball softball hockey soccer summer winter spring autumn january
        february november december october september correcthorsebatterystaple
        """,
    )
)
ROWS = ("qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "abcdefghijklmnopqrstuvwxyz", "0123456789" * 2)
LEET = str.maketrans("013457@$!", "oieastasi")

_turns = threading.BoundedSemaphore(HASHES_AT_ONCE)


class TooBusy(AppError):
    """Too many people are signing in at this moment."""

    code = "too_busy"
    status = 503
    title = "We’re busy for a moment"
    sentence = "Nothing was lost. Try again in a few seconds."
    retry_after_seconds = 5


class PasswordRefused(InvalidInput):
    """The password is too short, too long, or among the first that anyone would try."""

    code = "password_refused"


def check_password(password: str, *, email: str) -> None:
    """Raises PasswordRefused with a sentence that says how to do better."""
    plain = normalize_password(password)
    if len(plain) < SHORTEST_PASSWORD:
        raise PasswordRefused(f"Use at least {SHORTEST_PASSWORD} characters.", field="password")
    if len(plain) > LONGEST_PASSWORD:
        raise PasswordRefused(f"Use at most {LONGEST_PASSWORD} characters.", field="password")
    if is_easily_guessed(plain, email=email):
        raise PasswordRefused("That one is easily guessed. Try a few words in a row.", field="password")


def is_easily_guessed(password: str, *, email: str) -> bool:
    """Whether it is a common one in some disguise, a run of keys, a repetition, or the address itself."""
    lower = password.casefold()
    local, _, domain = email.casefold().partition("@")
    rest = lower
    for part in (email.casefold(), local, domain, domain.partition(".")[0]):
        if len(part) > 3:  # noqa: PLR2004 - shorter parts are in too many good passwords
            rest = rest.replace(part, "")
    if len(rest) < SHORTEST_PASSWORD // 2 or len(set(lower)) < FEWEST_DIFFERENT_CHARACTERS:
        return True
    unit = _repeated_unit(lower)
    words = {re.sub(r"[^a-z]", "", form) for text in (lower, unit) for form in (text, text.translate(LEET))}
    words |= {re.sub(r"[^a-z]", "", re.sub(r"[\d\W_]+$", "", lower).translate(LEET))}
    return not words.isdisjoint(COMMON_WORDS) or len(unit) < SHORTEST_PASSWORD // 2 or _is_run(unit)


def normalize_password(password: str) -> str:
    """The same characters however the keyboard composed them (NIST SP 800-63B: NFKC)."""
    return unicodedata.normalize("NFKC", password)


def hash_password(password: str) -> str:
    """The argon2id hash. At most HASHES_AT_ONCE run together in a process; raises TooBusy when the line is too long."""
    with _a_turn():
        hashed: str = hash_now(normalize_password(password))
    return hashed


def is_password_of(password: str, password_hash: str | None) -> bool:
    """Whether the password fits. Without a hash it takes just as long and is False."""
    if len(password) > LONGEST_PASSWORD * 4:
        password, password_hash = "", None
    with _a_turn():
        fits = bool(verify_now(normalize_password(password), password_hash or _hash_of_nobody()))
    return fits and password_hash is not None


@cache
def _hash_of_nobody() -> str:
    hashed: str = hash_now("the password of an account that does not exist")
    return hashed


@contextmanager
def _a_turn() -> Iterator[None]:
    if not _turns.acquire(timeout=LONGEST_WAIT_SECONDS):
        raise TooBusy
    try:
        yield
    finally:
        _turns.release()


def _repeated_unit(text: str) -> str:
    """The shortest piece whose repetition gives the text ("abcabc" -> "abc")."""
    at = (text + text).find(text, 1)
    return text[:at] if at else text


def _is_run(text: str) -> bool:
    return any(text in row or text in row[::-1] for row in ROWS)
