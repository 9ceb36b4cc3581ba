"""What happens at a time chosen before: courses that publish themselves, prices that begin and end."""

from collections.abc import Sequence

from app.catalog.course_states import list_due_course_ids, publish_due_course
from app.catalog.price_plans import list_due_product_ids, write_due_prices_of
from app.queue import sweep, task


@task("publish_course")
def publish_course_task(course_id: int) -> None:
    publish_due_course(course_id=course_id)


@sweep("publish_course")
def find_due_courses() -> Sequence[int]:
    return list_due_course_ids()


@task("write_due_prices")
def write_due_prices_task(product_id: int) -> None:
    write_due_prices_of(product_id=product_id)


@sweep("write_due_prices")
def find_due_prices() -> Sequence[int]:
    return list_due_product_ids()
