"""What pages that show more than one feature are made of. Reads only, in a number of queries that never grows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.blog import services as blog
from app.blog.services import PostCard, PostPreview, PostText
from app.catalog import services as catalog
from app.catalog.bundles import Bundle, list_bundles_with_course
from app.catalog.cards import PUBLIC_STATUSES
from app.catalog.services import CategoryCount, CourseCard, CoursePage
from app.errors import NotFound

HOME_COURSES = 3
HOME_POSTS = 3
FEED_POSTS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class PostSummary:
    """A post's card with its topic's name and slug."""

    card: PostCard
    category_name: str
    category_slug: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HomePage:
    """The shop in one look; featured is None while no course is published."""

    featured: CourseCard | None
    courses: tuple[CourseCard, ...]
    posts: tuple[PostSummary, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseReport:
    """A course's page with the posts that lead to it and the bundles on sale that it is part of; alternatives only when
    it is no longer sold."""

    page: CoursePage
    posts: tuple[PostSummary, ...]
    alternatives: tuple[CourseCard, ...]
    bundles: tuple[Bundle, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RelatedCourse:
    """A course a post leads to; position 0 stands beside the text."""

    course: CourseCard
    position: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PostReport:
    """A post with the courses it leads to, priced now, and others to read."""

    post: PostText
    category_name: str
    category_slug: str
    related: tuple[RelatedCourse, ...]
    more_posts: tuple[PostSummary, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BlogPage:
    """One page of the blog. categories: (slug, name, number of posts) of the topics that have any."""

    items: tuple[PostSummary, ...]
    total: int
    number: int
    pages: int
    categories: tuple[tuple[str, str, int], ...]
    category: CategoryCount | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SitemapEntry:
    """A public address: kind "course", "bundle" or "post", its slug and when it last changed."""

    kind: str
    slug: str
    changed_at: datetime


def get_home_page() -> HomePage:
    """The featured course, the first courses and the newest posts."""
    courses = catalog.list_courses().items
    featured = courses[0] if courses else None
    return HomePage(
        featured=featured,
        courses=courses[:HOME_COURSES],
        posts=_with_topics(blog.list_newest_posts(limit=HOME_POSTS)),
    )


def get_course_report(*, slug: str, statuses: tuple[str, ...] = PUBLIC_STATUSES) -> CourseReport:
    """A course's page. Raises NotFound."""
    page = catalog.get_course_page(slug=slug, statuses=statuses)
    alternatives: tuple[CourseCard, ...] = ()
    if page.status == "archived":
        alternatives = catalog.list_courses().items[:HOME_COURSES]
    posts = _with_topics(blog.list_posts_for_course(page.card.course_id))
    bundles = list_bundles_with_course(course_id=page.card.course_id) if page.is_bundled else ()
    return CourseReport(page=page, posts=posts, alternatives=alternatives, bundles=bundles)


def get_post_report(*, slug: str) -> PostReport:
    """A post's page. Raises NotFound for drafts, posts of the future and old slugs."""
    return _report_post(blog.get_post(slug))


def get_post_preview(*, public_id: str, user_id: int) -> tuple[PostReport, PostPreview]:
    """A post's page as it would be; see blog's get_post_preview(). Raises NotFound."""
    preview = blog.get_post_preview(public_id, user_id=user_id)
    return _report_post(preview.post), preview


def _report_post(post: PostText) -> PostReport:
    links = dict(blog.list_course_ids_for_post(post.card.post_id))
    cards = catalog.list_course_cards(list(links))
    topics = _topics()
    topic = topics[post.card.category_id]
    return PostReport(
        post=post,
        category_name=topic.name,
        category_slug=topic.slug,
        related=tuple(RelatedCourse(course=card, position=links[card.course_id]) for card in cards),
        more_posts=_with_topics(blog.list_other_posts(post.card.post_id), topics),
    )


def get_blog_page(*, category_slug: str | None = None, number: int = 1) -> BlogPage:
    """One page of the blog or of one topic. Raises NotFound for an unknown topic and beyond the last page."""
    topics = _topics()
    counts = blog.count_posts()
    category = next((topic for topic in topics.values() if topic.slug == category_slug), None)
    if category_slug is not None and category is None:
        raise NotFound
    page = blog.list_posts(category_id=category.category_id if category else None, page=number)
    return BlogPage(
        items=_with_topics(page.items, topics),
        total=page.total,
        number=page.number,
        pages=page.pages,
        categories=tuple(
            (topic.slug, topic.name, counts[topic.category_id])
            for topic in topics.values()
            if topic.category_id in counts
        ),
        category=category,
    )


def list_feed_posts() -> tuple[PostSummary, ...]:
    """The newest posts with their topics, for the feed."""
    return _with_topics(blog.list_newest_posts(limit=FEED_POSTS))


def list_posts_page(
    *, limit: int, published_at: datetime | None = None, post_id: int = 0, category_slug: str = ""
) -> tuple[PostSummary, ...]:
    """Posts behind a cursor; see blog's list_posts_before(). Raises NotFound for an unknown topic."""
    topics = _topics()
    category = next((topic for topic in topics.values() if topic.slug == category_slug), None)
    if category_slug and category is None:
        raise NotFound("There is no such category.")
    cards = blog.list_posts_before(
        limit=limit,
        published_at=published_at,
        post_id=post_id,
        category_id=category.category_id if category else None,
    )
    return _with_topics(cards, topics)


def _topics() -> dict[int, CategoryCount]:
    return {topic.category_id: topic for topic in catalog.list_categories()}


def _with_topics(cards: Iterable[PostCard], topics: dict[int, CategoryCount] | None = None) -> tuple[PostSummary, ...]:
    known = topics or _topics()
    return tuple(
        PostSummary(card=card, category_name=known[card.category_id].name, category_slug=known[card.category_id].slug)
        for card in cards
    )
