"""Who holds a course: what lies above the catalog (seats, grants) registers how it counts them, and the catalog asks.

The catalog decides what may be hidden or deleted, and must not do so to what somebody has paid for.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.errors import AppError


@dataclass(frozen=True, kw_only=True, slots=True)
class Holders:
    """How many people or unclaimed seats hold a course now, and how many ever did."""

    now: int
    ever: int


class CourseInUse(AppError):
    """People hold the course, or did: it can be archived, not hidden or deleted."""

    code = "course_in_use"
    status = 409
    title = "People have this course"
    sentence = "Archive it instead: it leaves the catalog and stays open for the people who have it."


Count = Callable[[Session, int], Holders]
_counts: list[Count] = []


def counts_holders(function: Count) -> Count:
    """Register a way of counting, by course id inside the caller's transaction."""
    _counts.append(function)
    return function


def refuse_hiding(session: Session, course_id: int) -> None:
    """Raises CourseInUse while somebody holds the course."""
    held = sum(count(session, course_id).now for count in _counts)
    if held:
        raise CourseInUse(
            f"{_count(held)} this course. Archive it instead: it leaves the catalog and stays open for them.",
            field="status",
        )


def refuse_deleting(session: Session, course_id: int) -> None:
    """Raises CourseInUse when somebody ever held the course."""
    held = sum(count(session, course_id).ever for count in _counts)
    if held:
        raise CourseInUse(f"{_count(held)} or had this course, so its history stays. Archive it instead.")


def _count(held: int) -> str:
    return "1 person has" if held == 1 else f"{held} people have"
