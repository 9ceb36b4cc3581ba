"""Who holds a course: what lies above the catalog (seats, grants) registers how it counts them, and the catalog asks.

The catalog decides what may be deleted, and must not do so to what somebody has paid for.
"""

from collections.abc import Callable

from sqlalchemy.orm import Session

from app.errors import AppError


class CourseInUse(AppError):
    """People hold the course, or did: it can be archived, not deleted."""

    code = "course_in_use"
    status = 409
    title = "People have this course"
    sentence = "Archive it instead: it leaves the catalog and stays open for the people who have it."


Count = Callable[[Session, int], int]
_counts: list[Count] = []


def counts_holders(function: Count) -> Count:
    """Register a way of counting who holds a course or ever did, by course id inside the caller's transaction."""
    _counts.append(function)
    return function


def refuse_deleting(session: Session, course_id: int) -> None:
    """Raises CourseInUse when somebody ever held the course."""
    held = sum(count(session, course_id) for count in _counts)
    if held:
        who = "1 person has" if held == 1 else f"{held} people have"
        raise CourseInUse(f"{who} or had this course, so its history stays. Archive it instead.")
