"""The two texts the shop is known for, saved the way an import saves them."""

from pathlib import Path
from zoneinfo import ZoneInfo

from app.blog.post_files import parse_post_file
from app.blog.services import save_post_files
from app.catalog.course_files import parse_course_file
from app.catalog.services import save_course_files
from app.reports.post_editor import resolve_posts

CONTENT = Path(__file__).parent.parent / "app" / "cli" / "demo_content"
COURSE = "ai-lead-engine-accelerator"
POST = "the-ai-paradox-how-advanced-models-and-job-cuts-are-reshaping-the-future-of-work"
POST_TITLE = "The AI Paradox: How Advanced Models and Job Cuts Are Reshaping the Future of Work"


def load_shop() -> None:
    """One course and the post that leads to it."""
    load_course((CONTENT / "courses" / f"{COURSE}.md").read_text())
    load_post((CONTENT / "posts" / f"{POST}.md").read_text())


def load_course(text: str) -> int:
    """Save a course's file; gives its id."""
    return save_course_files([parse_course_file(text, "course.md")])[0].course_id


def load_post(text: str) -> int:
    """Save a post's file; gives its id."""
    file = parse_post_file(text, "post.md", zone=ZoneInfo("UTC"))
    return save_post_files(resolve_posts([file]))[0].post_id


def course_text(**head: str) -> str:
    """A small valid course file; keyword arguments replace lines of its head."""
    lines = {
        "title": "Small course",
        "slug": "small-course",
        "category": "Cloud",
        "prices": "[20.00 USD]",
        **head,
    }
    text = "\n".join(f"{key}: {value}" for key, value in lines.items())
    return (
        f"---\n{text}\n---\nWhat it is about.\n\n# Start\nThe first part.\n\n## One {{#one minutes=5 preview}}\nOpen text.\n"
        "\n## Two {#two minutes=7}\nPaid text of lesson two.\n\n# End\n\n## Three {#three minutes=9}\nPaid text of lesson three.\n"
    )


def post_text(body: str = "Some words.", **head: str) -> str:
    """A small valid post file; keyword arguments replace lines of its head."""
    lines = {
        "title": "Small post",
        "slug": "small-post",
        "category": "Cloud",
        "published": "2026-01-02",
        **head,
    }
    text = "\n".join(f"{key}: {value}" for key, value in lines.items())
    return f"---\n{text}\n---\n{body}\n"
