"""The shapes that leave and enter the API. Money is {amount, currency} in minor units, times are UTC in ISO 8601."""

from datetime import UTC
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from app.catalog.course_files import LEVELS
from app.catalog.search import LONGEST_SEARCH

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
SLUG = validate.Regexp(r"^[a-z0-9]+(-[a-z0-9]+)*\Z")
PRINTABLE = validate.Regexp(r"^[^\x00-\x1f\x7f\ud800-\udfff]*\Z", error="It holds characters that nobody can type.")


class UtcTime(fields.String):
    """A moment as "2026-04-25T09:00:00Z"."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        text = value.astimezone(UTC).strftime(TIME_FORMAT) if value is not None else None
        return super()._serialize(text, attr, obj, **kwargs)


def _time(*, allow_none: bool = False) -> UtcTime:
    return UtcTime(required=True, allow_none=allow_none, metadata={"format": "date-time"})


class ProblemSchema(Schema):
    """What went wrong (RFC 9457)."""

    type = fields.String(required=True, metadata={"description": "Where the code is explained"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "A sentence that says what to do"})
    code = fields.String(required=True, metadata={"description": "For programs; never changes"})
    field = fields.String(metadata={"description": "The parameter or field that is meant"})
    request_id = fields.String(required=True, metadata={"description": "Quote it when you write to us"})


class PageArguments(Schema):
    """Which page of a list."""

    class Meta:
        unknown = RAISE

    limit = fields.Integer(load_default=20, strict=False, validate=validate.Range(min=1, max=100))
    cursor = fields.String(
        load_default="",
        validate=validate.Length(max=200),
        metadata={"description": "next_cursor of the page before"},
    )


class CourseArguments(PageArguments):
    """Which courses."""

    q = fields.String(
        load_default="",
        validate=[validate.Length(max=LONGEST_SEARCH), PRINTABLE],
        metadata={"description": "Words that title, promise or summary hold"},
    )
    category = fields.String(
        validate=[validate.Length(max=80), SLUG], load_default="", metadata={"description": "A category's slug"}
    )
    level = fields.String(load_default="", validate=validate.OneOf(LEVELS))


class PostArguments(PageArguments):
    """Which posts."""

    category = fields.String(
        validate=[validate.Length(max=80), SLUG], load_default="", metadata={"description": "A category's slug"}
    )


class CategorySchema(Schema):
    """A topic."""

    slug = fields.String(required=True, attribute="category_slug")
    name = fields.String(required=True, attribute="category_name")


class PriceSchema(Schema):
    """A price in force. Its id goes into a Checkout Session."""

    id = fields.String(required=True)
    amount = fields.Integer(required=True, metadata={"description": "Minor units: 9700 is 97.00 usd"})
    currency = fields.String(required=True)


class OfferSchema(Schema):
    """Whether a course can be bought now, and for what."""

    state = fields.String(
        required=True, validate=validate.OneOf(["on_sale", "free", "sold_out", "not_on_sale", "archived"])
    )
    price = fields.Nested(PriceSchema, required=True, allow_none=True)


class CourseSchema(Schema):
    """A course in a list."""

    id = fields.String(required=True)
    slug = fields.String(required=True)
    title = fields.String(required=True)
    promise = fields.String(required=True)
    summary = fields.String(required=True)
    level = fields.String(required=True, validate=validate.OneOf(LEVELS))
    category = fields.Nested(CategorySchema, required=True)
    section_count = fields.Integer(required=True)
    lesson_count = fields.Integer(required=True)
    minutes = fields.Integer(required=True, metadata={"description": "All lessons together"})
    url = fields.String(required=True)
    offer = fields.Nested(OfferSchema, required=True)


class LessonSchema(Schema):
    """A lesson's place in the curriculum, without its text."""

    slug = fields.String(required=True)
    title = fields.String(required=True)
    minutes = fields.Integer(required=True)
    is_preview = fields.Boolean(required=True, metadata={"description": "Open to everybody on its page"})


class SectionSchema(Schema):
    """A part of a course."""

    title = fields.String(required=True)
    summary = fields.String(required=True)
    lessons = fields.List(fields.Nested(LessonSchema), required=True)


class QuestionSchema(Schema):
    """A question people ask."""

    question = fields.String(required=True)
    answer_html = fields.String(required=True)


class PostSchema(Schema):
    """A post in a list."""

    id = fields.String(required=True)
    slug = fields.String(required=True)
    title = fields.String(required=True)
    excerpt = fields.String(required=True)
    category = fields.Nested(CategorySchema, required=True)
    author = fields.String(required=True)
    published_at = _time()
    revised_at = _time(allow_none=True)
    reading_minutes = fields.Integer(required=True)
    url = fields.String(required=True)


class CourseDetailSchema(CourseSchema):
    """A course with everything its page says."""

    description_html = fields.String(required=True)
    outcomes = fields.List(fields.String(), required=True)
    good_fit = fields.List(fields.String(), required=True)
    not_fit = fields.List(fields.String(), required=True)
    includes = fields.List(fields.String(), required=True)
    faq = fields.List(fields.Nested(QuestionSchema), required=True)
    author = fields.String(required=True)
    author_bio = fields.String(required=True)
    access_days = fields.Integer(required=True, allow_none=True, metadata={"description": "null: access does not end"})
    updated_at = _time()
    prices = fields.List(fields.Nested(PriceSchema), required=True, metadata={"description": "One for each currency"})
    sections = fields.List(fields.Nested(SectionSchema), required=True)
    posts = fields.List(fields.Nested(PostSchema), required=True, metadata={"description": "Posts that lead here"})


class HeadingSchema(Schema):
    """An entry of a post's table of contents."""

    level = fields.Integer(required=True)
    id = fields.String(required=True)
    text = fields.String(required=True)


class PostDetailSchema(PostSchema):
    """A post with its text and the courses it leads to."""

    body_html = fields.String(required=True)
    contents = fields.List(fields.Nested(HeadingSchema), required=True)
    courses = fields.List(fields.Nested(CourseSchema), required=True)


class CoursePageSchema(Schema):
    """A page of courses."""

    data = fields.List(fields.Nested(CourseSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True, metadata={"description": "null on the last page"})


class PostPageSchema(Schema):
    """A page of posts."""

    data = fields.List(fields.Nested(PostSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True, metadata={"description": "null on the last page"})


class CheckoutSessionArguments(Schema):
    """What is to be bought."""

    class Meta:
        unknown = RAISE

    price_id = fields.String(required=True, validate=validate.Regexp(r"^prc_[0-9A-Za-z]{10,36}\Z"))
    email = fields.String(
        load_default=None,
        validate=[validate.Length(min=3, max=320), PRINTABLE],
        metadata={"description": "Filled in on the payment page; needed when the price is free"},
    )
    quantity = fields.Integer(
        load_default=1,
        strict=True,
        validate=validate.Range(min=1, max=100),
        metadata={
            "description": "Seats; of several the first is the buyer's, the others are given out on the order's page"
        },
    )
    code = fields.String(
        load_default="",
        validate=[validate.Length(max=60), PRINTABLE],
        metadata={"description": "A promotion code"},
    )
    consents = fields.List(
        fields.String(validate=validate.OneOf(["terms", "eu_waiver"])),
        load_default=list,
        validate=validate.Length(max=2),
        metadata={"description": "What the buyer agreed to, where the shop asks for it"},
    )


class CheckoutHeaders(Schema):
    """What makes a repeated call harmless."""

    class Meta:
        unknown = "exclude"

    idempotency_key = fields.String(
        data_key="Idempotency-Key",
        load_default=None,
        validate=validate.Regexp(r"^[\x21-\x7e]{1,255}\Z"),
        metadata={"description": "The same key and body give the same session, however often they are sent"},
    )


class CheckoutSessionSchema(Schema):
    """A Checkout Session: send the buyer to its url."""

    id = fields.String(required=True, allow_none=True, metadata={"description": "Stripe's id; null when free"})
    url = fields.String(required=True, allow_none=True, metadata={"description": "null when there is nothing to pay"})
    expires_at = _time(allow_none=True)
    order_id = fields.String(required=True)
    amount_total = fields.Integer(required=True, metadata={"description": "Minor units, before tax"})
    currency = fields.String(required=True)
    status = fields.String(required=True)


class KeySchema(Schema):
    """The API key a call was made with."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    permissions = fields.List(fields.String(), required=True, metadata={"description": "What it may do now"})
