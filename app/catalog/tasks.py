"""Courses that publish themselves at a time chosen before."""

from collections.abc import Sequence

from app.catalog.course_states import list_due_course_ids, publish_due_course
from app.queue import sweep, task


@task("publish_course")
def publish_course_task(course_id: int) -> None:
    publish_due_course(course_id=course_id)


@sweep("publish_course")
def find_due_courses() -> Sequence[int]:
    return list_due_course_ids()
