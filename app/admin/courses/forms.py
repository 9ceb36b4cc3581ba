"""The forms of courses and lessons: every field with its type and limits, filled from and read as plain edits."""

from collections.abc import Sequence
from typing import Any

from wtforms import BooleanField, FieldList, Form, FormField, HiddenField, StringField, TextAreaField
from wtforms.validators import DataRequired, NumberRange, Optional, Regexp, ValidationError

from app.admin.courses.fields import AdminForm, ChoiceField, WholeNumberField, at_most
from app.admin.fields import MomentField
from app.catalog.course_edits import SCHEDULED, CourseEdit
from app.catalog.course_files import (
    LEVELS,
    LONGEST_LESSON_TITLE,
    LONGEST_SECTION_TITLE,
    LONGEST_SLUG,
    MOST_MINUTES,
    find_reserved_heading,
)
from app.catalog.curriculum import LessonEdit
from app.catalog.services import list_categories
from app.front_matter import LONGEST_LIST, SLUG
from app.markdown import LONGEST_TEXT

NEW_TOPIC = "+"
LONGEST_LINE, LONGEST_SUMMARY, LONGEST_QUESTION = 300, 2000, 300
MOST_QUESTIONS = 100
MOST_DAYS = 36_500
STATUSES = (
    ("draft", "Draft"), (SCHEDULED, "Scheduled"), ("published", "Published"), ("archived", "Archived"),
)  # fmt: skip
ADDRESS = "Use lower-case letters, digits and single hyphens."


class LinesField(TextAreaField):
    """A list of short texts, one in each line; empty lines are left out."""

    data: Any

    def _value(self) -> str:
        return "\n".join(self.data or ())

    def process_formdata(self, valuelist: list[str]) -> None:
        lines = (" ".join(line.split()) for line in (valuelist[0] if valuelist else "").splitlines())
        self.data = tuple(line for line in lines if line)

    def pre_validate(self, form: Any) -> None:  # noqa: ARG002 - WTForms' signature
        if len(self.data or ()) > LONGEST_LIST:
            raise ValidationError(f"Use at most {LONGEST_LIST} lines.")
        if any(len(line) > LONGEST_LINE for line in self.data or ()):
            raise ValidationError(f"Use at most {LONGEST_LINE} characters in a line.")


def refuse_reserved_heading(_form: Form, field: TextAreaField) -> None:
    """Texts are exported into one file, where # and ## begin sections and lessons."""
    if find_reserved_heading(field.data or ""):
        raise ValidationError("Begin headings with ### or more: # and ## begin sections and lessons in files.")


class QuestionForm(Form):
    """A question and its answer; both empty is no entry."""

    question = StringField("Question", validators=[at_most(LONGEST_QUESTION)])
    answer = TextAreaField("Answer", validators=[at_most(LONGEST_TEXT // 10)])

    def validate_question(self, field: StringField) -> None:
        if not (field.data or "").strip() and (self.answer.data or "").strip():
            raise ValidationError("Enter the question.")

    def validate_answer(self, field: TextAreaField) -> None:
        if not (field.data or "").strip() and (self.question.data or "").strip():
            raise ValidationError("Enter the answer.")


class TopicForm(AdminForm):
    """What the new and the edited course share."""

    title = StringField("Title", validators=[DataRequired("Enter a title."), at_most(160)])
    topic = ChoiceField("Topic")
    new_topic = StringField("New topic", validators=[at_most(80)])

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        names = [topic.name for topic in list_categories()]
        self.topic.offer([*((name, name) for name in names), (NEW_TOPIC, "Add a new topic…")])

    def validate_new_topic(self, field: StringField) -> None:
        if self.topic.data == NEW_TOPIC and not (field.data or "").strip():
            raise ValidationError("Enter the new topic’s name.")

    @property
    def category(self) -> str:
        """The topic's name, chosen or new."""
        chosen = self.new_topic.data if self.topic.data == NEW_TOPIC else self.topic.data
        return " ".join((chosen or "").split())


class CourseForm(TopicForm):
    """The editor's main form. version and base belong to the state it was opened in."""

    version = HiddenField()
    base = HiddenField()
    promise = StringField("One-line promise", validators=[at_most(200)])
    slug = StringField(
        "Web address",
        validators=[DataRequired("Enter a web address."), at_most(LONGEST_SLUG), Regexp(SLUG, message=ADDRESS)],
    )
    level = ChoiceField("Level", [(level, level.capitalize()) for level in LEVELS])
    summary = TextAreaField("Summary", validators=[at_most(LONGEST_SUMMARY)])
    description = TextAreaField("Description", validators=[at_most(LONGEST_TEXT), refuse_reserved_heading])
    author = StringField("Author", validators=[at_most(120)])
    author_bio = TextAreaField("About the author", validators=[at_most(LONGEST_SUMMARY)])
    outcomes = LinesField("What people will be able to do")
    good_fit = LinesField("A good fit if you…")
    not_fit = LinesField("Probably not if you…")
    includes = LinesField("This course includes")
    faq = FieldList(FormField(QuestionForm), max_entries=MOST_QUESTIONS)
    access_days = WholeNumberField(
        "Days of access", validators=[Optional(), NumberRange(1, MOST_DAYS, "Enter a number from 1 up, or nothing.")]
    )
    capacity = WholeNumberField("Seats", validators=[Optional()])
    is_featured = BooleanField("Show first in the catalog")
    is_open = BooleanField("Open for enrollment")
    status = ChoiceField("Status", STATUSES)
    publish_at = MomentField("Publish at")

    def validate_publish_at(self, field: MomentField) -> None:
        if self.status.data == SCHEDULED and field.data is None:
            raise ValidationError("Choose when to publish it.")

    def fill(self, edit: CourseEdit) -> None:
        """Show these values."""
        for name in edit.__dataclass_fields__:
            if name not in {"category", "faq"}:
                self[name].data, self[name].raw_data = getattr(edit, name), None
        self.topic.data, self.new_topic.data = edit.category, ""
        self.set_faq([{"question": question, "answer": answer} for question, answer in edit.faq])

    def set_faq(self, entries: Sequence[dict[str, str]]) -> None:
        """Show these questions and answers."""
        while len(self.faq):
            self.faq.pop_entry()
        for entry in entries:
            self.faq.append_entry(entry)

    def step_faq(self, step: str) -> None:
        """Without JavaScript: "add", or "up:2", "down:2" and "remove:2" by place; anything else changes nothing."""
        entries = [dict(entry.data) for entry in self.faq]
        verb, _, place = step.partition(":")
        at = int(place) if place.isascii() and place.isdigit() and len(place) < 4 else -1  # noqa: PLR2004 - MOST_QUESTIONS
        if verb == "add" and len(entries) < MOST_QUESTIONS:
            entries.append({"question": "", "answer": ""})
        elif 0 <= at < len(entries):
            entry = entries.pop(at)
            target = {"up": max(at - 1, 0), "down": min(at + 1, len(entries))}.get(verb)
            entries.insert(at if target is None else target, entry)
            if verb == "remove":
                entries.remove(entry)
        self.set_faq(entries)

    def to_edit(self) -> CourseEdit:
        """What the form says; call it after validate()."""
        pairs = [((entry["question"] or "").strip(), (entry["answer"] or "").strip()) for entry in self.faq.data]
        return CourseEdit(
            title=(self.title.data or "").strip(),
            slug=self.slug.data or "",
            promise=(self.promise.data or "").strip(),
            summary=_text(self.summary),
            description=_text(self.description),
            category=self.category,
            level=self.level.data,
            author=(self.author.data or "").strip(),
            author_bio=_text(self.author_bio),
            outcomes=self.outcomes.data or (),
            good_fit=self.good_fit.data or (),
            not_fit=self.not_fit.data or (),
            includes=self.includes.data or (),
            faq=tuple((question, answer.replace("\r\n", "\n")) for question, answer in pairs if question and answer),
            access_days=self.access_days.data,
            capacity=self.capacity.data,
            is_featured=self.is_featured.data,
            is_open=self.is_open.data,
            status=self.status.data,
            publish_at=self.publish_at.data if self.status.data == SCHEDULED else None,
        )


class SectionForm(AdminForm):
    """A section's own words."""

    title = StringField("Title", validators=[DataRequired("Enter a title."), at_most(LONGEST_SECTION_TITLE)])
    summary = TextAreaField("Summary", validators=[at_most(LONGEST_SUMMARY), refuse_reserved_heading])


class NewLessonForm(AdminForm):
    """A lesson to be written."""

    title = StringField("Title", validators=[DataRequired("Enter a title."), at_most(LONGEST_LESSON_TITLE)])


class LessonForm(NewLessonForm):
    """A lesson with its text. section's choices are set by the view."""

    version = HiddenField()
    base = HiddenField()
    section = ChoiceField("Section")
    body = TextAreaField("Text", validators=[at_most(LONGEST_TEXT), refuse_reserved_heading])
    minutes = WholeNumberField(
        "Minutes", validators=[Optional(), NumberRange(0, MOST_MINUTES, f"Enter a number up to {MOST_MINUTES:,}.")]
    )
    is_preview = BooleanField("Free preview")
    drip_days = WholeNumberField(
        "Opens after", validators=[Optional(), NumberRange(0, MOST_MINUTES, f"Enter a number up to {MOST_MINUTES:,}.")]
    )

    def fill(self, edit: LessonEdit) -> None:
        """Show these values."""
        for name in edit.__dataclass_fields__:
            self[name].data, self[name].raw_data = getattr(edit, name), None

    def to_edit(self) -> LessonEdit:
        """What the form says; call it after validate()."""
        return LessonEdit(
            title=(self.title.data or "").strip(),
            section=self.section.data,
            body=_text(self.body),
            minutes=self.minutes.data or 0,
            is_preview=self.is_preview.data,
            drip_days=self.drip_days.data,
        )


def _text(field: TextAreaField) -> str:
    """Browsers send line ends as CR LF; files have LF."""
    return (field.data or "").replace("\r\n", "\n").strip("\n").rstrip()
