"""The sandbox's settings, read once from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class SandboxConfig:
    """Everything that can be set. The defaults serve the demo shop on the same machine."""

    host: str = "127.0.0.1"
    port: int = 5001
    database: Path = field(default_factory=lambda: Path("instance/sandbox.sqlite"))  # ":memory:" keeps nothing
    is_durable: bool = True  # False: commits do not wait for the disk
    public_url: str = ""  # empty: http://HOST:PORT
    webhook_url: str = "http://127.0.0.1:5000/webhooks/stripe"  # empty: no endpoint is made at start
    webhook_secret: str = ""  # empty: made once and kept
    secret_key: str = ""  # empty: any sk_test_ or rk_test_ key
    shop_name: str = "NextSkill Lab"
    traffic: Path | None = None
    async_seconds: float = 20.0  # until a bank debit or a pending refund settles by itself
    retry_base_seconds: float = 3.0  # pause before the second try of a webhook; doubles each time
    retry_limit: int = 12
    webhook_timeout_seconds: float = 10.0
    delivery_threads: int = 4
    background: bool = True  # False: nothing happens by itself; tests call /_sandbox/tick and /_sandbox/deliver

    @property
    def base_url(self) -> str:
        """Where buyers reach the hosted page, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


def read_config(environment: Mapping[str, str] | None = None) -> SandboxConfig:
    """The settings of this process. Raises ValueError where a number is not a number."""
    given = os.environ if environment is None else environment

    def text(name: str, default: str) -> str:
        return given.get(name, default).strip()

    traffic = text("SANDBOX_TRAFFIC", "")
    return SandboxConfig(
        host=text("SANDBOX_HOST", SandboxConfig.host),
        port=int(text("SANDBOX_PORT", str(SandboxConfig.port))),
        database=Path(text("SANDBOX_DATABASE", "instance/sandbox.sqlite")),
        is_durable=text("SANDBOX_DURABLE", "1") != "0",
        public_url=text("SANDBOX_PUBLIC_URL", ""),
        webhook_url=text("SANDBOX_WEBHOOK_URL", SandboxConfig.webhook_url),
        # During a rotation the shop's setting names two secrets; Stripe signs with the first, the new one.
        webhook_secret=text("STRIPE_WEBHOOK_SECRET", "").split(",")[0].strip(),
        secret_key=text("STRIPE_SECRET_KEY", ""),
        shop_name=text("SANDBOX_SHOP_NAME", SandboxConfig.shop_name) or SandboxConfig.shop_name,
        traffic=Path(traffic) if traffic else None,
        async_seconds=float(text("SANDBOX_ASYNC_SECONDS", str(SandboxConfig.async_seconds))),
        retry_base_seconds=float(text("SANDBOX_RETRY_BASE_SECONDS", str(SandboxConfig.retry_base_seconds))),
    )
