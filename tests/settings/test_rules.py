"""One rule for both doors: the sentences for what a setting may not be."""

from pathlib import Path

import pytest

from app.colors import contrast, mix
from app.config import ConfigError, load_settings
from app.setting_rules import SECTIONS, SETTINGS, list_problems
from app.site.brand import write_brand_css


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("site_name", "", "Use 1 to 80 characters."),
        ("site_name", "   ", "Use 1 to 80 characters."),
        ("site_name", "x" * 81, "Use 1 to 80 characters."),
        ("site_name", "Two\nlines", "Keep it to one line."),
        ("site_tagline", "x" * 121, "Use at most 120 characters."),
        ("accent_color", "blue", "Write the color as # and six digits or letters a to f, such as #2a48d7."),
        ("accent_color", "#ffe000", "This color is too pale to be read on white: choose a darker one."),
        ("site_currency", "xxx", "Stripe takes no such currency: use a code such as usd or eur."),
        ("site_locale", "klingon", "Use a language and a country such as en_US or de_DE."),
        ("site_locale", "", "Use a language and a country such as en_US or de_DE."),
        ("site_timezone", "Mars/Base", "There is no such time zone: use a name such as Europe/Berlin or UTC."),
        ("site_timezone", "../../etc/passwd", "There is no such time zone: use a name such as Europe/Berlin or UTC."),
        ("refund_days", 366, "Use a number of days from 0 to 365."),
        ("refund_days", -1, "Use a number of days from 0 to 365."),
        ("tax_behavior", "both", "Use exclusive or inclusive."),
        ("withdrawal_days", 13, "Use a number of days from 14 to 365."),
        ("mail_from", "nobody", "Use an email address such as hello@example.org."),
        ("mail_from", "a@example.org\nBcc: b@example.org", "Use an email address such as hello@example.org."),
        ("mail_from_name", "x" * 81, "Use at most 80 characters."),
        ("terms_text", "x" * 601, "Use at most 600 characters."),
    ],
)
def test_a_value_that_may_not_be_has_its_sentence(name: str, value: object, sentence: str) -> None:
    assert [(setting.name, words) for setting, words in list_problems({name: value})] == [(name, sentence)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("site_name", "Läden & Söhne"), ("accent_color", ""), ("accent_color", "#2a48d7"), ("site_currency", "eur"),
        ("site_locale", "de_DE"), ("site_locale", "en"), ("mail_from", "shop@localhost"), ("site_timezone", "Europe/Berlin"), ("refund_days", 0), ("withdrawal_days", 14),
        ("mail_from", "hello@example.org"), ("mail_from_name", ""), ("terms_text", ""),
    ],
)  # fmt: skip
def test_a_good_value_has_none(name: str, value: object) -> None:
    assert list(list_problems({name: value})) == []


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("SITE_CURRENCY", "xxx", "SITE_CURRENCY: Stripe takes no such currency: use a code such as usd or eur."),
        ("SITE_TIMEZONE", "Mars/Base", "SITE_TIMEZONE: There is no such time zone"),
        ("REFUND_DAYS", "366", "REFUND_DAYS: Use a number of days from 0 to 365."),
        ("EU_WITHDRAWAL_DAYS", "7", "EU_WITHDRAWAL_DAYS: Use a number of days from 14 to 365."),
        ("TAX_BEHAVIOR", "both", "TAX_BEHAVIOR: Use exclusive or inclusive."),
        ("MAIL_FROM", "nobody", "MAIL_FROM: Use an email address"),
    ],
)
def test_the_environment_is_refused_with_the_variables_name(
    variable: str, value: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigError, match=sentence):
        load_settings(tmp_path)


def test_every_setting_is_in_one_section_and_is_a_setting(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)

    assert sum(len(section) for section in SECTIONS.values()) == len(SETTINGS)
    assert [name for name in SETTINGS if not hasattr(settings, name)] == []


def test_contrast_is_what_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#767676") == pytest.approx(4.54, abs=0.01)
    assert mix("#000000", "#ffffff", 0.5) == "#808080"


@pytest.mark.parametrize("accent", ["#2a48d7", "#8a2c0d", "#000000", "#0f5132", "#7a0055"])
def test_every_accent_is_readable_in_light_and_dark(accent: str) -> None:
    css = write_brand_css(accent)
    tokens = dict(part.split(":", 1) for part in css.removeprefix(":root{").rstrip(";}").split(";"))
    pairs = {name: value.removeprefix("light-dark(").rstrip(")").split(",") for name, value in tokens.items()}

    for mode in (0, 1):
        ground = ("#ffffff", "#181b22")[mode]
        assert contrast(pairs["--accent"][mode], ground) >= 4.5
        assert contrast(pairs["--accent"][mode], pairs["--accent-soft"][mode]) >= 4.5
        assert contrast(pairs["--on-accent"][mode], pairs["--accent"][mode]) >= 4.5
        assert contrast(pairs["--on-accent"][mode], pairs["--accent-hover"][mode]) >= 4.5
