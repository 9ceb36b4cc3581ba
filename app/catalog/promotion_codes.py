"""Promotion codes: making, finding, listing and ending them. A use of one is reserved by the checkout."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

import structlog
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app import clock
from app.audit import record_audit
from app.catalog.models import Course, Product, ProductCourse, PromotionCode, PromotionCodeProduct
from app.catalog.promotion_terms import (
    LONGEST_CODE,
    CodeState,
    CodeTerms,
    check_terms,
    decide_state,
    discount_of,
    normalize_code,
)
from app.db import db, insert_once, make_public_id, retry_conflicts, transaction
from app.errors import InvalidInput, NotFound

__all__ = [
    "CodeTaken",
    "CodeTerms",
    "CodeUsage",
    "change_code_limits",
    "create_batch",
    "create_code",
    "decide_state",
    "disable_code",
    "discount_of",
    "enable_code",
    "find_code",
    "get_code",
    "get_code_usage",
    "list_code_product_ids",
    "list_codes",
    "normalize_code",
]

MOST_IN_BATCH = 10_000
PAGE_SIZE = 500
# 0 and O, 1, I and L are left out: a code is read from paper and said on the telephone.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
RANDOM_GROUPS, GROUP_LENGTH = 3, 4  # 31 to the 12th: 59 bits

log = structlog.get_logger()


class CodeTaken(InvalidInput):
    """There is a code of this name, perhaps a disabled one: a code that people hold never comes to mean another."""

    code = "code_taken"
    status = 409

    def __init__(self, name: str) -> None:
        super().__init__(f"The code {name} exists already. Choose another one.", field="code")


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeUsage:
    """A code, the products it is limited to (none: all of them), and whether it could be used now.

    product_ids are public; course_slugs names those of the products that are a course's own.
    """

    promotion_code: PromotionCode
    product_ids: tuple[str, ...]
    course_slugs: tuple[str, ...]
    state: CodeState


def find_code(text: str) -> PromotionCode | None:
    """The code of this name in any spelling, usable or not; None for text that is no code."""
    try:
        name = normalize_code(text)
    except InvalidInput:
        return None
    return db.session().scalar(select(PromotionCode).where(PromotionCode.code == name))


def get_code(text: str) -> PromotionCode:
    """find_code() for those who may know which codes there are. Raises NotFound, InvalidInput."""
    name = normalize_code(text)
    found = db.session().scalar(select(PromotionCode).where(PromotionCode.code == name))
    if found is None:
        raise _no_such_code(name)
    return found


def get_code_usage(text: str) -> CodeUsage:
    """A code with what it is limited to. Raises NotFound, InvalidInput."""
    return _with_products([get_code(text)])[0]


def list_code_product_ids(*, code_id: int) -> frozenset[int]:
    """The products a code is limited to; empty: it counts for all."""
    statement = select(PromotionCodeProduct.product_id).where(PromotionCodeProduct.promotion_code_id == code_id)
    return frozenset(db.session().scalars(statement))


def list_codes(*, batch: str | None = None, after: int = 0, limit: int = PAGE_SIZE) -> list[CodeUsage]:
    """A page of codes in the order they were made; after is the id of the last one seen."""
    statement = select(PromotionCode).where(PromotionCode.id > after).order_by(PromotionCode.id).limit(limit)
    if batch is not None:
        statement = statement.where(PromotionCode.batch == batch)
    return _with_products(db.session().scalars(statement).all())


@retry_conflicts
def create_code(code: str, **terms: Unpack[CodeTerms]) -> PromotionCode:
    """Make a code, usable at once or from starts_at on.

    Raises InvalidInput with the field that is wrong, CodeTaken (also for one of two that make it at the same time).
    """
    name = normalize_code(code)
    values = check_terms(terms)
    product_ids = set(terms.get("product_ids", ()))
    with transaction() as session:
        _refuse_unknown_products(session, product_ids)
        code_id = insert_once(PromotionCode, _row(name, values), unique=["code"])
        if code_id is None:
            raise CodeTaken(name)
        _limit_to_products(session, [int(code_id)], product_ids)
        created = session.get_one(PromotionCode, code_id)
        record_audit(
            action="code.created", subject_type="code", subject_id=created.public_id,
            after={"code": name, **_as_told(values)},
        )  # fmt: skip
    log.info("promotion_code_created", code=created.public_id)
    return created


@retry_conflicts
def create_batch(count: int, prefix: str, **terms: Unpack[CodeTerms]) -> list[PromotionCode]:
    """Make codes such as PREFIX-7K2M-9QXT-4RWB that nobody can guess, all or none; each has these terms for itself.

    They are found by terms["batch"], the prefix when left out. Raises InvalidInput. Not safe to call twice: it makes
    as many again.
    """
    if not 1 <= count <= MOST_IN_BATCH:
        raise InvalidInput(f"Make 1 to {MOST_IN_BATCH:,} codes at once.", field="count")
    start = _normalize_prefix(prefix)
    values = check_terms({"batch": start, **terms})
    product_ids = set(terms.get("product_ids", ()))
    names: set[str] = set()
    while len(names) < count:
        names.add(f"{start}-{_random_part()}")
    with transaction() as session:
        _refuse_unknown_products(session, product_ids)
        # One statement for many rows: the write lock is short, and checkouts go on meanwhile.
        rows = [_row(name, values) for name in sorted(names)]
        created = list(session.scalars(insert(PromotionCode).returning(PromotionCode), rows))
        _limit_to_products(session, [code.id for code in created], product_ids)
        record_audit(
            action="code.batch_created", subject_type="code_batch", subject_id=values["batch"],
            after={"count": count, **_as_told(values)},
        )  # fmt: skip
    log.info("promotion_codes_created", batch=values["batch"], count=count)
    return sorted(created, key=lambda code: code.code)


def disable_code(text: str) -> None:
    """End a code: no new use; who has reserved one keeps it. Repeating it changes nothing. Raises NotFound."""
    _set_active(text, is_active=False)


def enable_code(text: str) -> None:
    """Let a disabled code count again, within its dates and limits. Repeating it changes nothing. Raises NotFound."""
    _set_active(text, is_active=True)


@retry_conflicts
def change_code_limits(
    *, public_id: str, max_redemptions: int | None, per_customer_limit: int | None, starts_at: datetime | None,
    ends_at: datetime | None,
) -> None:  # fmt: skip
    """Set how often a code may be used and when (UTC; None: no limit). What it takes off never changes.

    Who has reserved a use keeps it, so the uses in all cannot be fewer than there are. Raises InvalidInput, NotFound.
    """
    wanted = {
        "max_redemptions": max_redemptions, "per_customer_limit": per_customer_limit, "starts_at": starts_at,
        "ends_at": ends_at,
    }  # fmt: skip
    with transaction() as session:
        code = session.scalar(select(PromotionCode).where(PromotionCode.public_id == public_id).with_for_update())
        if code is None:
            raise NotFound
        discount: CodeTerms = {
            "percent_off": code.percent_off,
            "amount_off": code.amount_off,
            "currency": code.currency,
        }
        check_terms({**discount, **wanted, "minimum_quantity": code.minimum_quantity})  # type: ignore[typeddict-item]
        if max_redemptions is not None and max_redemptions < code.redeemed_count:
            raise InvalidInput(
                f"It has been used {code.redeemed_count} times: enter that or more.", field="max_redemptions"
            )
        before = {name: getattr(code, name) for name in wanted}
        changed = [name for name, value in wanted.items() if before[name] != value]
        if not changed:
            return
        for name in changed:
            setattr(code, name, wanted[name])
        record_audit(
            action="code.limits_changed", subject_type="code", subject_id=code.public_id,
            before=_as_told({name: before[name] for name in changed}),
            after=_as_told({name: wanted[name] for name in changed}),
        )  # fmt: skip


def _as_told(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the activity log keeps them: no limit is said by leaving it out."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
        if value not in (None, "")
    }


def _normalize_prefix(prefix: str) -> str:
    random_part = _random_part()
    try:
        return normalize_code(f"{prefix}-{random_part}").removesuffix(f"-{random_part}")
    except InvalidInput as error:
        longest = LONGEST_CODE - len(random_part) - 1
        raise InvalidInput(
            f"A prefix has 1 to {longest} letters (A to Z), digits and hyphens.", field="prefix"
        ) from error


def _random_part() -> str:
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(RANDOM_GROUPS))
    return "-".join(groups)


def _row(name: str, values: dict[str, Any]) -> dict[str, Any]:
    return {"public_id": make_public_id("pro"), "code": name, "created_at": clock.now(), **values}


def _refuse_unknown_products(session: Session, product_ids: Collection[int]) -> None:
    known = session.scalars(select(Product.id).where(Product.id.in_(product_ids))).all() if product_ids else []
    if len(known) < len(product_ids):
        raise InvalidInput("A product that the code is limited to does not exist.", field="product_ids")


def _limit_to_products(session: Session, code_ids: Sequence[int], product_ids: Collection[int]) -> None:
    rows = [
        {"promotion_code_id": code_id, "product_id": product_id} for code_id in code_ids for product_id in product_ids
    ]
    if rows:
        session.execute(insert(PromotionCodeProduct), rows)


@retry_conflicts
def _set_active(text: str, *, is_active: bool) -> None:
    name = normalize_code(text)
    with transaction() as session:
        code = session.scalar(select(PromotionCode).where(PromotionCode.code == name).with_for_update())
        if code is None:
            raise _no_such_code(name)
        if code.is_active is is_active:
            return
        code.is_active = is_active
        record_audit(
            action="code.enabled" if is_active else "code.disabled", subject_type="code", subject_id=code.public_id,
            before={"code": name, "is_active": not is_active}, after={"code": name, "is_active": is_active},
        )  # fmt: skip
    log.info("promotion_code_enabled" if is_active else "promotion_code_disabled", code=name)


def _no_such_code(name: str) -> NotFound:
    return NotFound(f"There is no code {name}.", field="code")


def _with_products(codes: Sequence[PromotionCode]) -> list[CodeUsage]:
    products: dict[int, list[tuple[str, str | None]]] = {code.id: [] for code in codes}
    rows = db.session().execute(
        select(PromotionCodeProduct.promotion_code_id, Product.public_id, Course.slug)
        .join(Product, Product.id == PromotionCodeProduct.product_id)
        .outerjoin(ProductCourse, (ProductCourse.product_id == Product.id) & (Product.kind == "course"))
        .outerjoin(Course, Course.id == ProductCourse.course_id)
        .where(PromotionCodeProduct.promotion_code_id.in_(products))
        .order_by(Product.id)
    )
    for row in rows:
        products[row.promotion_code_id].append((row.public_id, row.slug))
    moment = clock.now()
    return [
        CodeUsage(
            promotion_code=code,
            product_ids=tuple(public_id for public_id, _slug in products[code.id]),
            course_slugs=tuple(slug for _public_id, slug in products[code.id] if slug is not None),
            state=decide_state(code, moment=moment),
        )
        for code in codes
    ]
