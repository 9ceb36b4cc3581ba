"""Valid rows with one call each; a test names only what it is about."""

from itertools import count
from typing import Any, TypeVar

from app import clock
from app.accounts.models import User
from app.catalog.models import Category, Course, Lesson, Price, Product, ProductCourse, Section
from app.db import Base, db, make_public_id, transaction

Row = TypeVar("Row", bound=Base)

_numbers = count(1)


def make_user(**values: Any) -> User:
    """A confirmed learner without a password."""
    number = next(_numbers)
    user = User(
        **{
            "public_id": make_public_id("usr"),
            "email": f"learner{number}@example.org",
            "name": f"Learner {number}",
            "active": True,
            "fs_uniquifier": make_public_id("fsu"),
            "confirmed_at": clock.now(),
            "created_at": clock.now(),
            **values,
        }
    )
    with transaction() as session:
        session.add(user)
    return _detach(user)


def make_course(
    *, unit_amount: int | None = 9700, currency: str = "usd", capacity: int | None = None, **values: Any
) -> Course:
    """A published course with two lessons (the first one a preview), its product, and an active price unless None."""
    number = next(_numbers)
    moment = clock.now()
    with transaction() as session:
        category = session.query(Category).filter_by(slug="ai-automation").one_or_none() or Category(
            slug="ai-automation", name="AI & Automation"
        )
        session.add(category)
        session.flush()
        course = Course(
            **{
                "public_id": make_public_id("crs"),
                "slug": f"course-{number}",
                "title": f"Course {number}",
                "promise": "Learn one thing well",
                "category_id": category.id,
                "status": "published",
                "published_at": moment,
                "created_at": moment,
                "updated_at": moment,
                **values,
            }
        )
        session.add(course)
        session.flush()
        section = Section(course_id=course.id, position=1, title="Start")
        session.add(section)
        session.flush()
        for position in (1, 2):
            session.add(
                Lesson(
                    course_id=course.id,
                    section_id=section.id,
                    position=position,
                    slug=f"lesson-{position}",
                    title=f"Lesson {position}",
                    minutes=10,
                    is_preview=position == 1,
                    body_markdown=f"Text {position}",
                    body_html=f"<p>Text {position} of {course.slug}</p>",
                )
            )
        product = Product(
            public_id=make_public_id("prd"), kind="course", title=course.title, capacity=capacity, created_at=moment
        )
        session.add(product)
        session.flush()
        session.add(ProductCourse(product_id=product.id, course_id=course.id, position=0))
        if unit_amount is not None:
            session.add(
                Price(
                    public_id=make_public_id("prc"),
                    product_id=product.id,
                    unit_amount=unit_amount,
                    currency=currency,
                    activated_at=moment,
                    created_at=moment,
                )
            )
    return _detach(course)


def get_price(course: Course) -> Price:
    """The active regular price of a course made by make_course(); not of a bundle that holds it."""
    return _detach(
        db.session.query(Price)
        .join(ProductCourse, ProductCourse.product_id == Price.product_id)
        .join(Product, Product.id == Price.product_id)
        .filter(
            ProductCourse.course_id == course.id,
            Product.kind == "course",
            Price.status == "active",
            Price.kind == "regular",
        )
        .one()
    )


def _detach(row: Row) -> Row:
    """The row as it is now, for the whole test: sessions end and expire what they hold."""
    db.session.expunge(row)
    return row
