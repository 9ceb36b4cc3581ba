"""A form for each section of the settings. The rules are those of the environment (app/setting_rules.py)."""

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from babel import Locale
from flask_wtf import FlaskForm
from wtforms import BooleanField, EmailField, HiddenField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from app.admin.code_forms import WHOLE_NUMBER, NumberField
from app.admin.fields import make_choices
from app.money import CURRENCIES
from app.setting_rules import LONGEST_CONSENT, list_problems
from app.settings.services import SectionView

# The languages with countries that most shops write their amounts and dates in; the one in force is always among them.
LOCALES = (
    "en_US", "en_GB", "en_CA", "en_AU", "en_IE", "en_IN", "en_NZ", "en_SG", "en_ZA", "de_DE", "de_AT", "de_CH", "fr_FR",
    "fr_BE", "fr_CA", "fr_CH", "es_ES", "es_MX", "es_AR", "es_CO", "pt_PT", "pt_BR", "it_IT", "nl_NL", "nl_BE", "da_DK",
    "sv_SE", "nb_NO", "fi_FI", "pl_PL", "cs_CZ", "sk_SK", "hu_HU", "ro_RO", "bg_BG", "el_GR", "hr_HR", "sl_SI", "et_EE",
    "lv_LV", "lt_LT", "tr_TR", "uk_UA", "he_IL", "ar_AE", "hi_IN", "ja_JP", "ko_KR", "zh_CN", "zh_TW", "vi_VN", "id_ID",
    "th_TH",
)  # fmt: skip
LONGEST_TYPED = 500
LONGEST_VERSION = 9


class SectionForm(FlaskForm):
    """What the sections share. version is the one the form was opened with."""

    version = HiddenField("Version", validators=[Length(max=LONGEST_VERSION)])

    def show(self, view: SectionView) -> None:
        """Fill the form with what is in force."""
        self.version.data = str(view.version)
        for name, value in view.values.items():
            if name in self:
                self[name].data = value

    def values(self) -> dict[str, Any]:
        """The section's settings as the service takes them; text without spaces around it, "" for what was not sent."""
        return {
            field.name: "" if field.data is None else field.data.strip() if isinstance(field.data, str) else field.data
            for field in self
            if field.name not in {"version", "csrf_token"}
        }

    def judge(self) -> bool:
        """Whether it may be saved; every setting that may not has its sentence."""
        if not self.validate():
            return False
        problems = list(list_problems(self.values()))
        for setting, sentence in problems:
            self[setting.name].errors = [sentence]
        return not problems

    @property
    def seen_version(self) -> int:
        """The version the form was opened with; none that ever was for what is no number."""
        text = self.version.data or ""
        return int(text) if text.isascii() and text.isdigit() else -1


class BrandForm(SectionForm):
    """Names and looks."""

    site_name = StringField("Shop name", validators=[Length(max=LONGEST_TYPED)])
    site_tagline = StringField("Tagline", validators=[Length(max=LONGEST_TYPED)])
    accent_color = StringField("Accent color", validators=[Length(max=LONGEST_TYPED)])

    def values(self) -> dict[str, Any]:
        """As typed, but for the color's letters."""
        values = super().values()
        return values | {"accent_color": values["accent_color"].lower()}


class RegionForm(SectionForm):
    """Currency, language, time."""

    # What is none of the choices is judged by the rule, whose sentence says what to do.
    site_currency = SelectField(
        "Currency", choices=make_choices((each, each.upper()) for each in sorted(CURRENCIES)), validate_choice=False
    )
    site_locale = SelectField("Language and country", validate_choice=False)
    site_timezone = SelectField("Time zone", validate_choice=False)

    def __init__(self, *args: Any, in_force: SectionView, **options: Any) -> None:
        super().__init__(*args, **options)
        own = {each["site_locale"] for each in (in_force.values, in_force.base)}
        self.site_locale.choices = make_choices(_name_locales(tuple(sorted({*LOCALES, *own}))))
        own = {each["site_timezone"] for each in (in_force.values, in_force.base)}
        self.site_timezone.choices = make_choices((each, each.replace("_", " ")) for each in sorted({*_zones(), *own}))


class RefundsForm(SectionForm):
    """The refund window."""

    refund_days = NumberField("Refund window in days", validators=[InputRequired(WHOLE_NUMBER)])


class TaxForm(SectionForm):
    """What Stripe does about taxes."""

    is_tax_enabled = BooleanField("Let Stripe work out tax")
    tax_behavior = RadioField(
        "Prices and tax",
        choices=make_choices(
            [("exclusive", "Tax comes on top of the price"), ("inclusive", "The price holds the tax")]
        ),
        validate_choice=False,
    )
    collects_tax_ids = BooleanField("Ask companies for their tax number")


class InvoicesForm(SectionForm):
    """Whether Stripe makes invoices."""

    makes_invoices = BooleanField("Let Stripe make an invoice of each paid order")


class ConsentsForm(SectionForm):
    """The boxes before paying."""

    asks_terms = BooleanField("Buyers agree to the terms of sale")
    terms_text = TextAreaField("Text beside the box", validators=[Length(max=2 * LONGEST_CONSENT)])
    asks_waiver = BooleanField("EU buyers give up the right of withdrawal, so that the course opens at once")
    waiver_text = TextAreaField("Text beside the box", validators=[Length(max=2 * LONGEST_CONSENT)])

    def show(self, view: SectionView) -> None:
        """Two ticks for the one setting."""
        super().show(view)
        self.asks_terms.data = "terms" in view.values["consents"]
        self.asks_waiver.data = "eu_waiver" in view.values["consents"]

    def values(self) -> dict[str, Any]:
        """The one setting from two ticks; a text of several lines becomes one."""
        asked = (("terms", self.asks_terms.data), ("eu_waiver", self.asks_waiver.data))
        return {
            "consents": tuple(kind for kind, is_asked in asked if is_asked),
            "terms_text": " ".join((self.terms_text.data or "").split()),
            "waiver_text": " ".join((self.waiver_text.data or "").split()),
        }


class WithdrawalForm(SectionForm):
    """The withdrawal function that the EU asks for."""

    has_withdrawal = BooleanField("Offer “Withdraw from contract here”")
    withdrawal_days = NumberField("Withdrawal period in days", validators=[InputRequired(WHOLE_NUMBER)])
    refunds_withdrawals = BooleanField("Refund by itself within the period")


class MailForm(SectionForm):
    """Whom mails come from."""

    mail_from_name = StringField("Sender’s name", validators=[Length(max=LONGEST_TYPED)])
    mail_from = EmailField("Sender’s address", validators=[Length(max=LONGEST_TYPED)])


FORMS: dict[str, type[SectionForm]] = {
    "brand": BrandForm,
    "region": RegionForm,
    "refunds": RefundsForm,
    "tax": TaxForm,
    "invoices": InvoicesForm,
    "consents": ConsentsForm,
    "withdrawal": WithdrawalForm,
    "mail": MailForm,
}


def make_form(view: SectionView) -> SectionForm:
    """The form of a section, empty or as it was sent."""
    return RegionForm(in_force=view) if view.section == "region" else FORMS[view.section]()


@cache
def _name_locales(codes: tuple[str, ...]) -> list[tuple[str, str]]:
    named = [(code, Locale.parse(code).get_display_name("en") or code) for code in codes]
    return sorted(named, key=lambda pair: pair[1])


@cache
def _zones() -> frozenset[str]:
    areas = ("Africa/", "America/", "Antarctica/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/")
    return frozenset(each for each in available_timezones() if each.startswith(areas)) | {"UTC"}
