"""The forms of promotion codes. The terms themselves are judged by the catalog."""

from collections.abc import Sequence

from flask_wtf import FlaskForm
from wtforms import Field, IntegerField, RadioField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length, Optional, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from app.admin.fields import MomentField, MoneyField, make_choices
from app.catalog.promotion_terms import LONGEST_BATCH, LONGEST_TYPED, CodeTerms
from app.errors import InvalidInput
from app.money import CURRENCIES

WHOLE_NUMBER = "Enter a whole number."


class NumberField(IntegerField):
    """A whole number or nothing; what is neither is named so."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read digits only: int() would take "1_0" and Arabic digits as well."""
        text = valuelist[0].strip() if valuelist else ""
        self.data = None
        if not text:
            return
        if not (text.isascii() and text.isdigit() and len(text) <= 9):  # noqa: PLR2004 - more than any limit here
            raise ValueError(WHOLE_NUMBER)
        self.data = int(text)


class BlamingForm(FlaskForm):
    """A form that can show what a service refused beside the field it names."""

    OTHER_NAMES: dict[str, str] = {}  # noqa: RUF012 - a constant of the class

    def blame(self, error: InvalidInput) -> None:
        """Put the service's sentence on its field, or on the first one."""
        name = self.OTHER_NAMES.get(error.field or "", error.field or "")
        fields: list[Field] = [field for field in self if field.name != "csrf_token"]
        culprit = next((field for field in fields if field.name == name), fields[0])
        culprit.errors = [error.sentence]


class LimitsForm(BlamingForm):
    """What may change while people hold the code: how often, and when. What it takes off may not."""

    max_redemptions = NumberField("Uses in all", validators=[Optional()])
    per_customer_limit = NumberField("Uses of one customer", validators=[Optional()])
    starts_at = MomentField("Starts", validators=[Optional()])
    ends_at = MomentField("Ends", validators=[Optional()])


class CodeForm(LimitsForm):
    """A new code, or a batch of them."""

    OTHER_NAMES = {"amount_off": "amount", "percent_off": "percent", "product_ids": "products"}  # noqa: RUF012

    kind = RadioField(
        "How many", default="single",
        choices=make_choices([("single", "One code that you name"), ("batch", "A batch that nobody can guess")]),
    )  # fmt: skip
    code = StringField("Code", validators=[Length(max=LONGEST_TYPED)])
    prefix = StringField("What they begin with", validators=[Length(max=LONGEST_TYPED)])
    count = NumberField("How many codes")
    batch = StringField("Name of the batch", validators=[Length(max=LONGEST_BATCH)])
    discount = RadioField(
        "Takes off", choices=make_choices([("percent", "A percentage"), ("amount", "An amount")]), default="percent"
    )
    percent = NumberField("Percent")
    amount = MoneyField("Amount", validators=[Length(max=30)])
    currency = SelectField(
        "Currency", choices=make_choices((each, each.upper()) for each in sorted(CURRENCIES)), default="usd"
    )
    minimum_quantity = NumberField("Fewest seats", default=1, validators=[InputRequired(WHOLE_NUMBER)])
    products = SelectMultipleField(
        "Counts for", coerce=int, option_widget=CheckboxInput(), widget=ListWidget(prefix_label=False),
        validators=[Optional()],
    )  # fmt: skip

    def offer_products(self, products: Sequence[tuple[int, str]]) -> None:
        """The products to choose from, as (id, title)."""
        self.products.choices = make_choices((str(product_id), title) for product_id, title in products)

    def validate_code(self, field: StringField) -> None:
        if self.kind.data == "single" and not (field.data or "").strip():
            raise ValidationError("Name the code.")

    def validate_prefix(self, field: StringField) -> None:
        if self.kind.data == "batch" and not (field.data or "").strip():
            raise ValidationError("Say what the codes begin with.")

    def validate_count(self, field: NumberField) -> None:
        if self.kind.data == "batch" and not field.errors and field.data is None:
            raise ValidationError("Say how many codes to make.")

    def validate_percent(self, field: NumberField) -> None:
        if self.discount.data == "percent" and not field.errors and field.data is None:
            raise ValidationError("Enter a percentage from 1 to 100.")

    def validate_amount(self, field: MoneyField) -> None:
        if self.discount.data == "amount":
            field.amount(self.currency.data)

    def terms(self) -> CodeTerms:
        """What the catalog takes; amounts in minor units."""
        is_batch = self.kind.data == "batch"
        terms = CodeTerms(
            max_redemptions=1 if is_batch and self.max_redemptions.data is None else self.max_redemptions.data,
            per_customer_limit=self.per_customer_limit.data,
            minimum_quantity=self.minimum_quantity.data or 0,
            starts_at=self.starts_at.data,
            ends_at=self.ends_at.data,
            product_ids=self.products.data or (),
        )
        if self.discount.data == "percent":
            terms["percent_off"] = self.percent.data
        else:
            terms["amount_off"], terms["currency"] = self.amount.amount(self.currency.data), self.currency.data
        if is_batch and self.batch.data:
            terms["batch"] = self.batch.data
        return terms
