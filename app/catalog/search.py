"""Which courses a search finds and in which order. Plain LIKE with everything escaped: the same on both databases."""

from typing import Any, Literal

from sqlalchemy import Select, case, func, or_, select

from app.catalog.models import Category, Course, Price, Product
from app.catalog.offers import CURRENT_PRICE, OWN_PRODUCT

Sort = Literal["", "newest", "price", "title"]
LONGEST_SEARCH = 100
MOST_WORDS = 8


def find_courses(*, q: str, category: str, level: str, price: str, sort: Sort = "") -> Select[Any]:
    """The ids of published courses that match every filter, in no order yet; an empty filter matches all."""
    statement: Select[Any] = select(Course.id).where(Course.status == "published")
    # A NUL ends the text in one database and is refused by the other.
    for word in q[:LONGEST_SEARCH].replace("\x00", " ").split()[:MOST_WORDS]:
        fields = (Course.title, Course.promise, Course.summary)
        statement = statement.where(or_(*(field.icontains(word, autoescape=True) for field in fields)))
    if category:
        statement = statement.join(Category, Category.id == Course.category_id).where(Category.slug == category)
    if level:
        statement = statement.where(Course.level == level)
    if price or sort == "price":
        statement = statement.outerjoin(Product, Product.id == OWN_PRODUCT).outerjoin(Price, Price.id == CURRENT_PRICE)
    if price:
        statement = statement.where(Price.unit_amount == 0 if price == "free" else Price.unit_amount > 0)
    return statement


def sort_courses(statement: Select[Any], sort: Sort) -> Select[Any]:
    """Put what find_courses() found for the same sort in order; courses without a price come last."""
    if sort == "newest":
        return statement.order_by(Course.published_at.desc(), Course.id.desc())
    if sort == "title":
        return statement.order_by(func.lower(Course.title), Course.id)
    if sort == "price":
        return statement.order_by(case((Price.unit_amount.is_(None), 1), else_=0), Price.unit_amount, Course.id)
    return statement.order_by(Course.is_featured.desc(), Course.position, Course.id)
