"""flask stripe doctor: is everything right for money to arrive, and the webhook endpoint made or repaired."""

import json
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from app.checkout.endpoint import configure_own_endpoint
from app.cli.files import fail_in_words
from app.payments.doctor import Check
from app.payments.webhook_endpoints import Configured
from app.reports.doctor import examine


@click.command("doctor")
@with_appcontext
@click.option("--configure", is_flag=True, help="Make the webhook endpoint at Stripe, or repair it; never deletes one.")
@click.option("--wait", "wait_seconds", type=click.FloatRange(0, 60), default=10, show_default=True,
              help="How long the worker may take for the event that is sent.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def doctor(configure: bool, wait_seconds: float, as_json: bool) -> None:  # noqa: FBT001 - click's form
    """Look at key, versions, webhook, clock, taxes, mail and worker: one line each, with the fix.

    Exit code 1 while anything fails. An endpoint's secret is printed once, when it is made.

    \b
    Example:
      flask stripe doctor
      flask stripe doctor --configure
    """
    configured = configure_own_endpoint() if configure else None
    if configured is not None and not as_json:
        _tell_configured(configured)
    checks: list[Check] = []
    for check in examine(wait_seconds=wait_seconds):
        checks.append(check)
        if not as_json:
            fix = f"  -> {check.fix}" if check.fix else ""
            click.echo(f"{check.level:<5} {check.name:<9} {check.what}{fix}")
    failed = sum(check.level == "fail" for check in checks)
    if as_json:
        facts = {"checks": [asdict(check) for check in checks], "failed": failed}
        click.echo(json.dumps(facts | {"configured": None if configured is None else asdict(configured)}))
    if failed:
        raise click.exceptions.Exit(1)


def _tell_configured(configured: Configured) -> None:
    endpoint = configured.endpoint
    count = "every event" if "*" in endpoint.enabled_events else f"{len(endpoint.enabled_events)} events"
    click.echo(f"{endpoint.id} {configured.action}: {count} to {endpoint.url}.")
    if configured.secret is not None:
        click.echo("Its signing secret, shown only now; put it into the environment or instance/.env and restart:")
        click.echo(f"STRIPE_WEBHOOK_SECRET={configured.secret}")
    for duplicate_id in configured.duplicate_ids:
        click.echo(f"{duplicate_id} delivers to the same address: delete it in Stripe’s dashboard.")
