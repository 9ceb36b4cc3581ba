"""What courses and topics are called: the blog knows them by key only, so what lies above registers how to find out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseName:
    """A course as a text may name it: by its title, or by a link to /courses/<slug>."""

    course_id: int
    slug: str
    title: str


Source = Callable[[Session], Sequence[CourseName]]
TopicSource = Callable[[Session, int], str]
_sources: list[Source] = []
_topic_sources: list[TopicSource] = []


def names_courses(function: Source) -> Source:
    """Register where the names of all courses come from."""
    _sources.append(function)
    return function


def list_course_names(session: Session) -> list[CourseName]:
    """All courses by name."""
    return [name for source in _sources for name in source(session)]


def names_topics(function: TopicSource) -> TopicSource:
    """Register where the name of a topic comes from, by its id."""
    _topic_sources.append(function)
    return function


def find_topic_name(session: Session, category_id: int) -> str:
    """A topic's name, "" where nobody knows it."""
    return next((name for source in _topic_sources if (name := source(session, category_id))), "")
