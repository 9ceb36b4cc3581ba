"""Typed settings from the environment and instance/.env; refuses a production that would be unsafe."""

import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from environs import Env, EnvError, validate
from flask import current_app, g

from app.setting_rules import list_problems

Environment = Literal["demo", "production", "test"]
TaxBehavior = Literal["exclusive", "inclusive"]
CONSENTS = ("terms", "eu_waiver")
PROJECT_ROOT = Path(__file__).resolve().parent.parent
STRIPE_API_BASE = "https://api.stripe.com"
SANDBOX_API_BASE = "http://127.0.0.1:5001"
# The sandbox takes any test key; this one is public on purpose and therefore refused in production.
SANDBOX_SECRET_KEY = "sk_test_offline_sandbox"  # noqa: S105
SHORTEST_SECRET = 32


# Where in app.extensions stands what gives the settings in force for those of the environment, and where g keeps them.
SETTINGS_SOURCE = "settings_source"
IN_FORCE = "settings_in_force"


class ConfigError(RuntimeError):
    """A setting is missing or unsafe; the message is one sentence that names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything that can be set. Times are in the unit their name gives.

    mail_from_name: "" for the shop's name; accent_color: "" for the design's own; logo_path: an uploaded picture below
    /media/, "" for the drawn one; terms_text, waiver_text: "" for our own words.
    """

    app_env: Environment
    instance_path: Path
    secret_key: str
    public_url: str
    database_url: str
    redis_url: str | None
    stripe_secret_key: str
    stripe_webhook_secrets: tuple[str, ...]
    stripe_api_base: str
    stripe_app_id: str
    checkout_expires_minutes: int
    reconcile_interval_seconds: int
    mail_url: str | None
    mail_from: str
    mail_from_name: str
    site_name: str
    site_tagline: str
    accent_color: str
    logo_path: str
    site_currency: str
    site_locale: str
    site_timezone: str
    proxy_count: int
    refund_days: int
    is_tax_enabled: bool
    tax_behavior: TaxBehavior
    collects_tax_ids: bool
    makes_invoices: bool
    consents: tuple[str, ...]
    terms_text: str
    waiver_text: str
    has_withdrawal: bool
    withdrawal_days: int
    refunds_withdrawals: bool
    metrics_token: str | None

    @property
    def is_production(self) -> bool:
        return self.app_env == "production"

    @property
    def is_livemode(self) -> bool:
        """Whether the Stripe key charges real money; every stored object must agree."""
        return "_live_" in self.stripe_secret_key[:12]

    @property
    def public_host(self) -> str:
        return urlsplit(self.public_url).netloc


SettingsSource = Callable[[Settings], Settings]


def current_settings() -> Settings:
    """The settings in force: the environment's, with what the shop's people changed in the browser.

    Read at most once for each request, task or command; SETTINGS_SOURCE reads them. What only the environment decides
    (secrets, addresses) is the same in app.config["SETTINGS"].
    """
    base: Settings = current_app.config["SETTINGS"]
    found: tuple[Settings, Settings] | None = g.get(IN_FORCE)
    if found is None or found[0] is not base:
        source: SettingsSource | None = current_app.extensions.get(SETTINGS_SOURCE)
        found = (base, base if source is None else source(base))
        setattr(g, IN_FORCE, found)
    return found[1]


def forget_settings() -> None:
    """Let the next look read anew: where a request or task begins, and once they were changed."""
    g.pop(IN_FORCE, None)


def load_settings(instance_path: Path | None = None) -> Settings:
    """Read and check the settings. Raises ConfigError with one sentence that names the setting."""
    instance = instance_path or find_instance_path()
    instance.mkdir(parents=True, exist_ok=True)
    env = Env()
    env.read_env(str(instance / ".env"), recurse=False)
    # Asked before reading makes one: an id that is new at every start would make yesterday's orders look foreign.
    has_app_id = bool(env.str("STRIPE_APP_ID", "")) or (instance / ".stripe_app_id").exists()
    try:
        settings = _read(env, instance)
    except EnvError as error:
        raise ConfigError(str(error)) from error
    _refuse_contradictions(settings)
    if settings.is_production:
        _refuse_unsafe_production(settings, has_app_id=has_app_id)
    return settings


def find_instance_path() -> Path:
    """Where this installation keeps what it made itself: INSTANCE_PATH, or instance/ beside the code."""
    return Path(os.environ.get("INSTANCE_PATH") or PROJECT_ROOT / "instance").resolve()


def _read(env: Env, instance: Path) -> Settings:
    app_env = cast(Environment, env.str("APP_ENV", "demo", validate=validate.OneOf(["demo", "production", "test"])))
    is_production = app_env == "production"
    secret_key = env.str("SECRET_KEY", "") or ("" if is_production else _made_once(instance, "secret_key"))
    webhook_secrets = env.str("STRIPE_WEBHOOK_SECRET", "")
    if not webhook_secrets and not is_production:
        webhook_secrets = "whsec_" + _made_once(instance, "stripe_webhook_secret")
    return Settings(
        app_env=app_env,
        instance_path=instance,
        secret_key=secret_key,
        public_url=env.str("PUBLIC_URL", "http://127.0.0.1:5000").rstrip("/"),
        database_url=_database_url(env.str("DATABASE_URL", ""), instance),
        redis_url=env.str("REDIS_URL", "") or None,
        stripe_secret_key=env.str("STRIPE_SECRET_KEY", "") or ("" if is_production else SANDBOX_SECRET_KEY),
        stripe_webhook_secrets=tuple(part.strip() for part in webhook_secrets.split(",") if part.strip()),
        stripe_api_base=_stripe_api_base(env, is_production=is_production),
        stripe_app_id=env.str("STRIPE_APP_ID", "") or "tuition_" + _made_once(instance, "stripe_app_id")[:12],
        checkout_expires_minutes=env.int("CHECKOUT_EXPIRES_MINUTES", 60, validate=validate.Range(min=30, max=1440)),
        reconcile_interval_seconds=env.int("RECONCILE_INTERVAL_SECONDS", 900, validate=validate.Range(min=1)),
        mail_url=env.str("MAIL_URL", "") or None,
        mail_from=env.str("MAIL_FROM", "hello@example.org"),
        mail_from_name=env.str("MAIL_FROM_NAME", ""),
        site_name=env.str("SITE_NAME", "NextSkill Lab"),
        site_tagline=env.str("SITE_TAGLINE", "Practical courses that end with something that runs."),
        accent_color=env.str("SITE_ACCENT", "").lower(),
        logo_path="",
        site_currency=env.str("SITE_CURRENCY", "usd").lower(),
        site_locale=env.str("SITE_LOCALE", "en_US"),
        site_timezone=env.str("SITE_TIMEZONE", "UTC"),
        proxy_count=env.int("PROXY_COUNT", 0, validate=validate.Range(min=0, max=10)),
        refund_days=env.int("REFUND_DAYS", 14),
        is_tax_enabled=env.bool("TAX_ENABLED", False),
        tax_behavior=cast(TaxBehavior, env.str("TAX_BEHAVIOR", "exclusive")),
        collects_tax_ids=env.bool("TAX_ID_COLLECTION", False),
        makes_invoices=env.bool("STRIPE_INVOICES", False),
        consents=_read_consents(env.str("CONSENTS", "")),
        terms_text=env.str("CONSENT_TERMS_TEXT", ""),
        waiver_text=env.str("CONSENT_WAIVER_TEXT", ""),
        has_withdrawal=env.bool("EU_WITHDRAWAL", False),
        withdrawal_days=env.int("EU_WITHDRAWAL_DAYS", 14),
        refunds_withdrawals=env.bool("EU_WITHDRAWAL_REFUNDS", False),
        metrics_token=env.str("METRICS_TOKEN", "") or None,
    )


def _read_consents(text: str) -> tuple[str, ...]:
    asked = [part.strip() for part in text.split(",") if part.strip()]
    unknown = sorted(set(asked) - set(CONSENTS))
    if unknown:
        raise ConfigError(f"CONSENTS knows {' and '.join(CONSENTS)}, but not {unknown[0]}.")
    return tuple(name for name in CONSENTS if name in asked)


def _stripe_api_base(env: Env, *, is_production: bool) -> str:
    given = env.str("STRIPE_API_BASE", "")
    if given:
        return given.rstrip("/")
    # A key without an address means the real Stripe; neither means the sandbox on this machine.
    return STRIPE_API_BASE if is_production or env.str("STRIPE_SECRET_KEY", "") else SANDBOX_API_BASE


def _database_url(given: str, instance: Path) -> str:
    return read_database_url(given) if given else f"sqlite:///{instance / 'tuition.sqlite'}"


def read_database_url(given: str) -> str:
    """A database's address as SQLAlchemy takes it: hosting panels hand out the bare scheme, psycopg 3 is the driver."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", given)


def _made_once(instance: Path, name: str) -> str:
    """A random value made on first use and kept in the instance folder, the same for every process."""
    path = instance / f".{name}"
    if not path.exists():
        # Written apart and then linked: of two processes that start at once, one must not read the other's empty file.
        partial = instance / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
        partial.touch(mode=0o600)
        partial.write_text(secrets.token_hex(32))
        with suppress(FileExistsError):
            os.link(partial, path)
        partial.unlink()
    value = path.read_text().strip()
    if len(value) < SHORTEST_SECRET:
        raise ConfigError(f"{path.name} in the instance folder is incomplete: delete it and start again.")
    return value


def _refuse_contradictions(settings: Settings) -> None:
    if not urlsplit(settings.public_url).netloc or urlsplit(settings.public_url).path:
        raise ConfigError("PUBLIC_URL must be an origin such as https://courses.example.org, without a path.")
    if not settings.stripe_webhook_secrets:
        raise ConfigError("STRIPE_WEBHOOK_SECRET is empty: copy the signing secret of your webhook endpoint.")
    if any(len(secret) < 16 for secret in settings.stripe_webhook_secrets):  # noqa: PLR2004 - a typing slip, not a policy
        raise ConfigError("STRIPE_WEBHOOK_SECRET is too short to be a signing secret.")
    if settings.metrics_token is not None and len(settings.metrics_token) < 16:  # noqa: PLR2004 - not to be guessed
        raise ConfigError("METRICS_TOKEN must have at least 16 characters.")
    for setting, sentence in list_problems(asdict(settings)):
        raise ConfigError(f"{setting.variable}: {sentence}")
    if settings.is_livemode and not settings.is_production:
        raise ConfigError("STRIPE_SECRET_KEY is a live key: it charges real cards, so it needs APP_ENV=production.")


def _refuse_unsafe_production(settings: Settings, *, has_app_id: bool) -> None:
    if len(settings.secret_key) < SHORTEST_SECRET:
        raise ConfigError("SECRET_KEY must be set to at least 32 random characters in production.")
    if len(set(settings.secret_key)) < 8:  # noqa: PLR2004 - rejects "aaaa…" and "changeme…" fillers
        raise ConfigError("SECRET_KEY looks like a filler: use random characters.")
    if not settings.public_url.startswith("https://"):
        raise ConfigError("PUBLIC_URL must start with https:// in production.")
    if not settings.stripe_secret_key or settings.stripe_secret_key == SANDBOX_SECRET_KEY:
        raise ConfigError("STRIPE_SECRET_KEY must be a key of your Stripe account in production.")
    if settings.stripe_api_base != STRIPE_API_BASE:
        raise ConfigError(
            "STRIPE_API_BASE must be Stripe's own address in production: the sandbox is for demo and test."
        )
    if not has_app_id:
        raise ConfigError("STRIPE_APP_ID must be set when the instance folder is not kept between starts.")
    if settings.mail_url is None:
        raise ConfigError("MAIL_URL must name your mail server in production: receipts and claim links go by mail.")
