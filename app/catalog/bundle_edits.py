"""Making and changing bundles. Past orders keep the courses they were bought with; prices are changed elsewhere."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import clock
from app.audit import record_audit
from app.catalog.bundles import BUNDLE
from app.catalog.models import Course, Product, ProductCourse
from app.db import db, make_public_id, retry_conflicts, transaction
from app.errors import AppError, InvalidInput, NotFound
from app.front_matter import SLUG
from app.markdown import slugify_heading

FEWEST_COURSES = 2
LONGEST_TITLE, LONGEST_SLUG = 160, 120


class BundleChanged(AppError):
    """Somebody else saved the bundle since it was opened; nothing was written."""

    code = "bundle_changed"
    status = 409
    title = "Somebody else saved this bundle"
    sentence = "Somebody else saved this bundle since you opened it. Compare with what it says now, then save again."


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleEdit:
    """What the form decides. course_ids in their order, which those keep that were in it; is_active False: archived."""

    title: str
    summary: str
    course_ids: tuple[int, ...]
    is_active: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class EditedBundle:
    """A bundle as its editor shows it."""

    product_id: int
    public_id: str
    slug: str
    version: int
    edit: BundleEdit
    taken_seats: int
    stripe_product_id: str | None


def get_edited_bundle(*, public_id: str) -> EditedBundle:
    """The bundle as it is now. Raises NotFound."""
    session = db.session()
    product = session.scalars(_find(public_id)).one_or_none()
    if product is None:
        raise NotFound("There is no such bundle.")
    return EditedBundle(
        product_id=product.id, public_id=product.public_id, slug=product.slug or "", version=product.version,
        edit=_read_edit(session, product), taken_seats=product.taken_seats,
        stripe_product_id=product.stripe_product_id,
    )  # fmt: skip


@retry_conflicts
def create_bundle(edit: BundleEdit, *, slug: str = "") -> Product:
    """A bundle without a price yet. slug "": made from the title. Not safe to call twice: the address is taken then.

    Raises InvalidInput with the field title, slug or courses.
    """
    _check(edit)
    slug = slug or slugify_heading(edit.title)[:LONGEST_SLUG].strip("-")
    if not SLUG.fullmatch(slug):
        raise InvalidInput("Use lower-case letters, digits and single hyphens.", field="slug")
    try:
        with transaction() as session:
            _refuse_unknown(session, edit.course_ids)
            product = Product(
                public_id=make_public_id("prd"), kind=BUNDLE, slug=slug, title=edit.title, summary=edit.summary,
                status=_status(edit), created_at=clock.now(),
            )  # fmt: skip
            session.add(product)
            session.flush()
            _write_courses(session, product.id, edit.course_ids)
            facts = {"title": edit.title, "slug": slug, "courses": _list_titles(session, edit.course_ids)}
            record_audit(action="bundle.created", subject_type="bundle", subject_id=product.public_id, after=facts)
            return product
    except IntegrityError as error:
        raise InvalidInput(f"Another bundle lives at “{slug}”. Choose another address.", field="slug") from error


@retry_conflicts
def save_bundle(*, public_id: str, version: int, edit: BundleEdit) -> list[str]:
    """Save the form; gives the names of what changed. Saving what is there already changes no row.

    version is the one the form was opened with: of two at once one is saved, the other raises BundleChanged. Raises
    InvalidInput, NotFound.
    """
    _check(edit)
    with transaction() as session:
        product = session.scalars(_find(public_id).with_for_update()).one_or_none()
        if product is None:
            raise NotFound("There is no such bundle.")
        former = _read_edit(session, product)
        kept = [each for each in former.course_ids if each in edit.course_ids]
        added = [each for each in edit.course_ids if each not in former.course_ids]
        edit = replace(edit, course_ids=(*kept, *added))
        if former == edit:
            return []
        _refuse_unknown(session, added)
        # The database decides which of two saves counts.
        saved = session.execute(
            update(Product)
            .where(Product.id == product.id, Product.version == version)
            .values(title=edit.title, summary=edit.summary, status=_status(edit), version=Product.version + 1)
            .returning(Product.id)
        )
        if saved.scalar_one_or_none() is None:
            raise BundleChanged
        if former.course_ids != edit.course_ids:
            session.execute(delete(ProductCourse).where(ProductCourse.product_id == product.id))
            _write_courses(session, product.id, edit.course_ids)
        return _record_changes(session, public_id, former, edit)


def list_bundle_choices() -> list[tuple[int, str, str]]:
    """Every course that may be put into a bundle, as (id, title, status), by title."""
    statement = select(Course.id, Course.title, Course.status).where(Course.deleted_at.is_(None))
    return [
        (row.id, row.title, row.status) for row in db.session().execute(statement.order_by(Course.title, Course.id))
    ]


def _find(public_id: str) -> Any:
    return select(Product).where(Product.public_id == public_id, Product.kind == BUNDLE)


def _check(edit: BundleEdit) -> None:
    if not edit.title or len(edit.title) > LONGEST_TITLE:
        raise InvalidInput(f"Give it a name of at most {LONGEST_TITLE} characters.", field="title")
    if len(set(edit.course_ids)) < FEWEST_COURSES:
        raise InvalidInput("Choose at least two courses: one alone is sold on its own page.", field="courses")


def _refuse_unknown(session: Session, course_ids: Sequence[int]) -> None:
    known = set(session.scalars(select(Course.id).where(Course.id.in_(list(course_ids)), Course.deleted_at.is_(None))))
    if not known.issuperset(course_ids):
        raise InvalidInput("One of these courses was deleted meanwhile. Choose again.", field="courses")


def _write_courses(session: Session, product_id: int, course_ids: Sequence[int]) -> None:
    session.add_all(
        ProductCourse(product_id=product_id, course_id=course_id, position=position)
        for position, course_id in enumerate(course_ids)
    )
    session.flush()


def _read_edit(session: Session, product: Product) -> BundleEdit:
    ids = session.scalars(
        select(ProductCourse.course_id)
        .where(ProductCourse.product_id == product.id)
        .order_by(ProductCourse.position, ProductCourse.course_id)
    )
    return BundleEdit(
        title=product.title, summary=product.summary, course_ids=tuple(ids), is_active=product.status == "active"
    )


def _record_changes(session: Session, public_id: str, former: BundleEdit, edit: BundleEdit) -> list[str]:
    before, after = asdict(former), asdict(edit)
    names = [name for name in after if before[name] != after[name]]
    for facts in (before, after):
        facts["courses"] = _list_titles(session, facts["course_ids"])
    shown = ["courses" if name == "course_ids" else name for name in names]
    record_audit(
        action="bundle.changed", subject_type="bundle", subject_id=public_id,
        before={name: before[name] for name in shown}, after={name: after[name] for name in shown},
    )  # fmt: skip
    return names


def _list_titles(session: Session, course_ids: Sequence[int]) -> list[str]:
    titles = {
        row.id: row.title for row in session.execute(select(Course.id, Course.title).where(Course.id.in_(course_ids)))
    }
    return [titles[each] for each in course_ids if each in titles]


def _status(edit: BundleEdit) -> str:
    return "active" if edit.is_active else "archived"
