"""Settings: defaults that work, a production that refuses in one sentence, secrets that are made once."""

import json
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import app.config as config_module
from app.config import PROJECT_ROOT, SANDBOX_API_BASE, SANDBOX_SECRET_KEY, STRIPE_API_BASE, ConfigError, load_settings

NAMES = (
    "APP_ENV", "SECRET_KEY", "PUBLIC_URL", "DATABASE_URL", "REDIS_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET",
    "STRIPE_API_BASE", "STRIPE_APP_ID", "CHECKOUT_EXPIRES_MINUTES", "RECONCILE_INTERVAL_SECONDS", "MAIL_URL", "MAIL_FROM",
    "SITE_NAME", "SITE_CURRENCY", "SITE_LOCALE", "SITE_TIMEZONE", "PROXY_COUNT", "REFUND_DAYS",
)  # fmt: skip
PRODUCTION = {
    "APP_ENV": "production",
    "SECRET_KEY": "k9f2Qw7LmX0cVb4TzR8sYh1NdJ6gPaE3",
    "PUBLIC_URL": "https://courses.example.org",
    "STRIPE_SECRET_KEY": "sk_live_51Abcdefghijklmnop",
    "STRIPE_WEBHOOK_SECRET": "whsec_1234567890abcdef1234567890abcdef",
    "STRIPE_APP_ID": "courses",
    "MAIL_URL": "smtp://user:password@mail.example.org:587",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def set_production(environment: pytest.MonkeyPatch, **changes: str | None) -> None:
    for name, value in {**PRODUCTION, **changes}.items():
        if value is None:
            environment.delenv(name, raising=False)
        else:
            environment.setenv(name, value)


def test_nothing_set_is_a_demo_with_the_sandbox(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)

    assert settings.app_env == "demo"
    assert settings.public_url == "http://127.0.0.1:5000"
    assert settings.public_host == "127.0.0.1:5000"
    assert settings.database_url == f"sqlite:///{tmp_path / 'tuition.sqlite'}"
    assert settings.redis_url is None
    assert (settings.stripe_secret_key, settings.stripe_api_base) == (SANDBOX_SECRET_KEY, SANDBOX_API_BASE)
    assert settings.is_livemode is False
    assert settings.is_production is False
    assert (settings.checkout_expires_minutes, settings.reconcile_interval_seconds) == (60, 900)
    assert (settings.mail_url, settings.proxy_count, settings.refund_days) == (None, 0, 14)
    assert (settings.site_name, settings.site_currency) == ("NextSkill Lab", "usd")
    assert (settings.site_locale, settings.site_timezone) == ("en_US", "UTC")


def test_a_key_without_an_address_means_the_real_stripe(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("STRIPE_SECRET_KEY", "sk_test_mine_000000000000")

    assert load_settings(tmp_path).stripe_api_base == STRIPE_API_BASE


def test_a_complete_production_starts(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    set_production(environment)

    settings = load_settings(tmp_path)

    assert (settings.is_production, settings.is_livemode, settings.stripe_app_id) == (True, True, "courses")
    assert not list(tmp_path.glob(".*secret*")), "production makes no secret by itself"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", None),
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "a" * 64),
        ("SECRET_KEY", "abcabcabc" * 8),
        ("PUBLIC_URL", None),
        ("PUBLIC_URL", "http://courses.example.org"),
        ("PUBLIC_URL", "https://courses.example.org/shop"),
        ("PUBLIC_URL", "courses.example.org"),
        ("STRIPE_SECRET_KEY", None),
        ("STRIPE_SECRET_KEY", SANDBOX_SECRET_KEY),
        ("STRIPE_WEBHOOK_SECRET", None),
        ("STRIPE_WEBHOOK_SECRET", ""),
        ("STRIPE_WEBHOOK_SECRET", " , "),
        ("STRIPE_WEBHOOK_SECRET", "whsec_short"),
        ("STRIPE_WEBHOOK_SECRET", PRODUCTION["STRIPE_WEBHOOK_SECRET"] + ",x"),
        ("STRIPE_API_BASE", "http://127.0.0.1:5001"),
        ("STRIPE_APP_ID", None),
        ("MAIL_URL", None),
        ("CHECKOUT_EXPIRES_MINUTES", "29"),
        ("CHECKOUT_EXPIRES_MINUTES", "1441"),
        ("RECONCILE_INTERVAL_SECONDS", "0"),
        ("RECONCILE_INTERVAL_SECONDS", "soon"),
        ("PROXY_COUNT", "-1"),
        ("APP_ENV", "live"),
    ],
)
def test_an_unsafe_production_is_refused_in_a_sentence_that_names_the_setting(
    tmp_path: Path, environment: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    set_production(environment, **{name: value})

    with pytest.raises(ConfigError) as refused:
        load_settings(tmp_path)

    message = str(refused.value)
    assert name in message
    assert "\n" not in message
    if name.endswith(("KEY", "SECRET")) and value:
        assert value not in message, "a secret is repeated"


def test_the_app_id_of_an_instance_folder_that_was_kept_is_enough(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    made = load_settings(tmp_path).stripe_app_id
    set_production(environment, STRIPE_APP_ID=None)

    assert load_settings(tmp_path).stripe_app_id == made


def test_a_live_key_outside_production_is_refused(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("STRIPE_SECRET_KEY", "sk_live_51Abcdefghijklmnop")

    with pytest.raises(ConfigError, match=r"^STRIPE_SECRET_KEY is a live key"):
        load_settings(tmp_path)


def test_two_webhook_secrets_are_taken_during_a_rotation(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("STRIPE_WEBHOOK_SECRET", "whsec_new_0123456789 , whsec_old_0123456789")

    assert load_settings(tmp_path).stripe_webhook_secrets == ("whsec_new_0123456789", "whsec_old_0123456789")


@pytest.mark.parametrize(
    "given",
    ["postgres://user:word@host/shop", "postgresql://user:word@host/shop", "postgresql+psycopg://user:word@host/shop"],
)
def test_bare_postgresql_addresses_use_the_driver_that_is_installed(
    tmp_path: Path, environment: pytest.MonkeyPatch, given: str
) -> None:
    environment.setenv("DATABASE_URL", given)

    assert load_settings(tmp_path).database_url == "postgresql+psycopg://user:word@host/shop"


def test_the_file_in_the_instance_folder_is_read_and_the_environment_wins(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("SITE_NAME=From the file\nREFUND_DAYS=30\n")
    environment.setenv("REFUND_DAYS", "7")

    settings = load_settings(tmp_path)

    assert (settings.site_name, settings.refund_days) == ("From the file", 7)
    environment.delenv("SITE_NAME", raising=False)


def test_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    first, second = load_settings(tmp_path), load_settings(tmp_path)

    assert first == second
    assert len(first.secret_key) == 64
    assert first.stripe_webhook_secrets[0].startswith("whsec_")
    for name in (".secret_key", ".stripe_webhook_secret", ".stripe_app_id"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".secret_key",
        ".stripe_app_id",
        ".stripe_webhook_secret",
    ]


def test_secrets_of_two_installations_differ(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "a").secret_key != load_settings(tmp_path / "b").secret_key


def test_a_secret_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".secret_key").write_text("abc")

    with pytest.raises(ConfigError, match=r"^\.secret_key in the instance folder is incomplete"):
        load_settings(tmp_path)


def test_processes_that_start_at_once_have_the_same_secrets(tmp_path: Path) -> None:
    code = (
        "import json, sys; from pathlib import Path; from app.config import load_settings;"
        " sys.stdin.readline(); s = load_settings(Path(sys.argv[1]));"
        " print(json.dumps([s.secret_key, s.stripe_app_id, s.stripe_webhook_secrets]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, cwd=PROJECT_ROOT, **pipes) for _ in range(2)]

    outcomes = [process.communicate("go\n", timeout=60)[0] for process in processes]

    assert json.loads(outcomes[0]) == json.loads(outcomes[1])


def test_a_secret_is_never_seen_half_written(tmp_path: Path) -> None:
    """Many first starts at the same moment: each reads the whole value, and all the same."""
    start = threading.Barrier(8)
    seen: list[str] = []

    def read() -> None:
        start.wait(30)
        seen.append(config_module._made_once(tmp_path, "secret_key"))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert (len(seen), len(set(seen)), len(seen[0])) == (8, 1, 64)
    assert [path.name for path in tmp_path.iterdir()] == [".secret_key"]
