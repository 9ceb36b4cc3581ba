"""The forms of a bundle: what it is called, what is in it, whether it is sold."""

from collections.abc import Sequence

from wtforms import BooleanField, HiddenField, IntegerField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional
from wtforms.widgets import CheckboxInput, HiddenInput, ListWidget

from app.admin.code_forms import BlamingForm
from app.admin.fields import make_choices
from app.catalog.bundle_edits import LONGEST_SLUG, LONGEST_TITLE, BundleEdit, EditedBundle

STATUS_WORDS = {"published": "", "draft": " (draft)", "archived": " (archived)"}


class NewBundleForm(BlamingForm):
    """A new bundle."""

    title = StringField(
        "Name",
        validators=[DataRequired("Give it a name."), Length(max=LONGEST_TITLE, message="Use at most 160 characters.")],
    )
    slug = StringField("Web address", validators=[Length(max=LONGEST_SLUG, message="Use at most 120 characters.")])
    summary = TextAreaField("Summary", validators=[Length(max=2000, message="Use at most 2,000 characters.")])
    courses = SelectMultipleField(
        "Courses", coerce=int, option_widget=CheckboxInput(), widget=ListWidget(prefix_label=False),
        validators=[Optional()],
    )  # fmt: skip

    def offer_courses(self, courses: Sequence[tuple[int, str, str]]) -> None:
        """The courses to choose from, as (id, title, status)."""
        self.courses.choices = make_choices(
            (str(course_id), title + STATUS_WORDS[status]) for course_id, title, status in courses
        )

    def to_edit(self) -> BundleEdit:
        """What the catalog takes."""
        return BundleEdit(
            title=(self.title.data or "").strip(), summary=(self.summary.data or "").strip().replace("\r\n", "\n"),
            course_ids=tuple(self.courses.data or ()),
        )  # fmt: skip


class BundleForm(NewBundleForm):
    """A bundle that is there. Its address stays: links to it are in the world."""

    slug = HiddenField()
    version = IntegerField(widget=HiddenInput(), validators=[Optional()])
    is_active = BooleanField("On sale")

    def reopen(self, bundle: EditedBundle) -> None:
        """Keep what was typed, over the bundle as it is now."""
        self.version.data, self.version.raw_data = bundle.version, None

    def fill(self, bundle: EditedBundle) -> None:
        """Show the bundle as it is."""
        self.title.data, self.summary.data = bundle.edit.title, bundle.edit.summary
        self.courses.data, self.is_active.data = list(bundle.edit.course_ids), bundle.edit.is_active
        self.version.data = bundle.version

    def to_edit(self) -> BundleEdit:
        """What the catalog takes."""
        return BundleEdit(
            title=(self.title.data or "").strip(), summary=(self.summary.data or "").strip().replace("\r\n", "\n"),
            course_ids=tuple(self.courses.data or ()), is_active=bool(self.is_active.data),
        )  # fmt: skip
