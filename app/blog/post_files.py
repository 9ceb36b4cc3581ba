"""Posts as Markdown files with front matter. A post names its topic and courses; who resolves them lives above."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.front_matter import FileProblem, HeadReader, moment_for_head, read_front_matter, write_front_matter
from app.markdown import LONGEST_TEXT, slugify_heading

STATUSES = ("draft", "scheduled", "published", "archived")
FIELDS = frozenset(
    {"title", "slug", "old_slugs", "category", "status", "published", "revised", "author", "excerpt", "courses"}
)
LONGEST_SLUG = 160


@dataclass(frozen=True, kw_only=True, slots=True)
class PostFile:
    """Everything about a post that an author decides. courses are slugs, the first one stands beside the text;
    published_at none: a draft; revised_at none: unchanged since it was published."""

    title: str
    slug: str
    category: str
    body: str
    old_slugs: tuple[str, ...] = ()
    status: str = "published"
    published_at: datetime | None = None
    revised_at: datetime | None = None
    author: str = ""
    excerpt: str = ""
    courses: tuple[str, ...] = ()


def parse_post_file(text: str, name: str, *, zone: ZoneInfo) -> PostFile:
    """Read a post; days begin in zone. name is what problems call the file. Raises FileProblem."""
    document = read_front_matter(text, name)
    head = HeadReader(document, known=FIELDS)
    title = head.text("title", longest=200)
    published_at = head.moment("published", zone=zone)
    status = head.choice("status", choices=STATUSES, default="published" if published_at else "draft")
    if status in {"published", "scheduled"} and published_at is None:
        raise head.problem("published", "It is missing: a published post needs its date.")
    if len(document.body) > LONGEST_TEXT:
        raise FileProblem(name, "", f"The text is longer than {LONGEST_TEXT} characters.")
    courses = head.slugs("courses", longest=120)
    if len(set(courses)) != len(courses):
        raise head.problem("courses", "Name each course once.")
    return PostFile(
        title=title,
        slug=head.slug("slug", longest=LONGEST_SLUG, default=slugify_heading(title)[:LONGEST_SLUG].strip("-")),
        old_slugs=tuple(sorted(set(head.slugs("old_slugs", longest=LONGEST_SLUG)))),
        category=head.text("category", longest=80),
        status=status,
        published_at=published_at,
        revised_at=head.moment("revised", zone=zone),
        author=head.text("author", longest=120, default=""),
        excerpt=head.text("excerpt", longest=2000, default=""),
        courses=courses,
        body=document.body.strip("\n").rstrip(),
    )


def format_post_file(post: PostFile, *, zone: ZoneInfo) -> str:
    """The file that parse_post_file() reads back as the same post."""
    head: dict[str, Any] = {"title": post.title, "slug": post.slug}
    if post.old_slugs:
        head["old_slugs"] = list(post.old_slugs)
    head |= {"category": post.category, "status": post.status}
    for key, moment in (("published", post.published_at), ("revised", post.revised_at)):
        if moment is not None:
            head[key] = moment_for_head(moment, zone)
    texts = {"author": post.author, "excerpt": post.excerpt}
    head |= {key: value for key, value in texts.items() if value}
    if post.courses:
        head["courses"] = list(post.courses)
    return write_front_matter(head, post.body)
