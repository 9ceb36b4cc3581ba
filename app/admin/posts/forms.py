"""The post's form: every field with its type and limits, filled from and read as a plain edit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import Field, HiddenField, StringField, TextAreaField
from wtforms.validators import DataRequired, Regexp, ValidationError

from app.admin.courses.fields import ChoiceField, at_most
from app.admin.courses.forms import ADDRESS, TopicForm
from app.admin.fields import MomentField
from app.blog.post_edits import ARCHIVED, DRAFT, PUBLISHED, SCHEDULED
from app.blog.post_files import LONGEST_SLUG
from app.front_matter import SLUG
from app.markdown import LONGEST_TEXT
from app.reports.post_editor import PostEdit, find_course_slug

LONGEST_TITLE, LONGEST_EXCERPT, LONGEST_AUTHOR = 200, 2000, 120
MOST_COURSES = 20
STATES = (
    (DRAFT, "Draft"), (SCHEDULED, "Scheduled"), (PUBLISHED, "Published"), (ARCHIVED, "Archived"),
)  # fmt: skip
# What the buttons beside "Save" make of a post.
BUTTONS = {"publish": PUBLISHED, "schedule": SCHEDULED, "draft": DRAFT, "archive": ARCHIVED}
# Not part of what somebody types: never kept in a working copy.
PASSING = frozenset({"csrf_token", "then", "courses_step", "course", "picture", "alt_text"})


class SlugsField(Field):
    """Slugs in their order, one hidden input each."""

    data: tuple[str, ...]

    def _value(self) -> str:
        return ",".join(self.data or ())

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = tuple(dict.fromkeys(slug for slug in valuelist if SLUG.fullmatch(slug)))

    def pre_validate(self, form: Any) -> None:  # noqa: ARG002 - WTForms' signature
        if len(self.data or ()) > MOST_COURSES:
            raise ValidationError(f"Choose at most {MOST_COURSES} courses.")


class NewPostForm(TopicForm):
    """A post to be written."""

    title = StringField("Title", validators=[DataRequired("Enter a title."), at_most(LONGEST_TITLE)])


class PostForm(NewPostForm):
    """The editor's form. version and base belong to the state it was opened in; status is changed by buttons."""

    version = HiddenField()
    base = HiddenField()
    status = ChoiceField("Status", STATES)
    slug = StringField(
        "Web address",
        validators=[DataRequired("Enter a web address."), at_most(LONGEST_SLUG), Regexp(SLUG, message=ADDRESS)],
    )
    excerpt = TextAreaField("Short summary", validators=[at_most(LONGEST_EXCERPT)])
    body = TextAreaField("Text", validators=[at_most(LONGEST_TEXT)])
    author = StringField("Author", validators=[at_most(LONGEST_AUTHOR)])
    published_at = MomentField("Date")
    courses = SlugsField("Related courses")

    def fill(self, edit: PostEdit) -> None:
        """Show these values."""
        for name in edit.__dataclass_fields__:
            if name != "category":
                self[name].data, self[name].raw_data = getattr(edit, name), None
        self.topic.data, self.new_topic.data = edit.category, ""

    def step_courses(self, step: str, typed: str) -> None:
        """Without JavaScript: "add" the typed course, or "up:slug", "down:slug", "remove:slug"."""
        slugs = list(self.courses.data or ())
        verb, _, slug = step.partition(":")
        if verb == "add":
            found = find_course_slug(typed)
            if found is None:
                self.courses.errors = ["No course is called that. Choose one of the list."]
            elif found not in slugs:
                slugs.append(found)
        elif slug in slugs:
            at = slugs.index(slug)
            slugs.remove(slug)
            if verb != "remove":
                slugs.insert(max(at - 1, 0) if verb == "up" else at + 1, slug)
        self.courses.data = tuple(slugs)

    def to_edit(self, former: datetime | None) -> PostEdit:
        """What the form says; call it after validate(). former: the post's day, which the field shows by the minute."""
        day = self.published_at.data
        if day is not None and former is not None and day == former.replace(second=0, microsecond=0):
            day = former
        return PostEdit(
            title=" ".join((self.title.data or "").split()),
            slug=self.slug.data or "",
            excerpt=_text(self.excerpt),
            body=_text(self.body),
            category=self.category,
            author=(self.author.data or "").strip(),
            status=self.status.data,
            published_at=day,
            courses=self.courses.data or (),
        )


def read_typed(form: MultiDict[str, str]) -> dict[str, Sequence[str]]:
    """What a working copy keeps of a sent form."""
    return {name: form.getlist(name) for name in form if name not in PASSING}


def _text(field: TextAreaField) -> str:
    """Browsers send line ends as CR LF; files have LF."""
    return (field.data or "").replace("\r\n", "\n").strip("\n").rstrip()
