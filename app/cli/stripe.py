"""flask stripe reconcile | replay | events | findings: our books against Stripe's, and the inbox of its events."""

import json
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click
from flask.cli import AppGroup

from app import clock
from app.checkout.findings import close_finding, get_finding, list_open_findings
from app.checkout.models import Finding
from app.checkout.reconcile_orders import heal_order, plan_order
from app.checkout.reconcile_pages import plan_run
from app.checkout.reconcile_scans import DEFAULT_SPAN, LEASE, begin_run, list_outcomes, list_scans, work_on_page
from app.checkout.replay import Replay, find_order_id, list_events_of_order, plan_replay, replay_event
from app.cli.files import fail_in_words
from app.cli.stripe_doctor import doctor
from app.cli.stripe_texts import tell_difference, tell_outcome
from app.config import current_settings
from app.payments.events import list_events
from app.payments.gateway import PaymentUnavailable

WAIT_SECONDS = 0.5
MOST_DAYS = 3_650
MOST_EVENTS = 500

stripe = AppGroup("stripe", help="Stripe: is everything set up, do our books agree, what came and what became of it.")
stripe.add_command(doctor)


class Since(click.ParamType[datetime]):
    """A number of days before now, or a day as YYYY-MM-DD in the shop's time zone."""

    name = "DAYS|DATE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if value.isdecimal() and len(value) <= len(str(MOST_DAYS)) and 1 <= int(value) <= MOST_DAYS:
            return clock.now() - timedelta(days=int(value))
        settings = current_settings()
        try:
            day = datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=ZoneInfo(settings.site_timezone))
        except ValueError:
            self.fail("Give days (1 to 3650), or a day such as 2026-11-01.", param, ctx)
        return day.astimezone(UTC)


@stripe.command("reconcile")
@click.option("--since", type=Since(), help="Look at what was made since then. Default: 35 days.")
@click.option("--dry-run", is_flag=True, help="Say what differs and what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def reconcile(since: datetime | None, dry_run: bool, as_json: bool) -> None:  # noqa: FBT001 - click's form
    """Compare sessions, refunds, disputes and orders with Stripe by object, and heal what differs.

    A scan that was stopped goes on where it was; two at once share the work. Exit code 1 while anything is unhealed.

    \b
    Example:
      flask stripe reconcile --since 90 --dry-run
      flask stripe reconcile --since 2026-10-01
    """
    begin_at = since or clock.now() - DEFAULT_SPAN
    if dry_run:
        outcomes, is_complete = _plan(begin_at)
    else:
        run_key = begin_run(since=begin_at)
        is_complete = _work_to_the_end(run_key)
        outcomes = list_outcomes(run_key)
    findings = list_open_findings()
    _tell_reconciled(outcomes, findings, is_plan=dry_run, is_complete=is_complete, as_json=as_json)
    if not is_complete or findings or any(outcome["result"] != "healed" for outcome in outcomes):
        raise click.exceptions.Exit(1)


@stripe.command("replay")
@click.argument("event", required=False)
@click.option("--failed", is_flag=True, help="Every event that was given up after many tries.")
@click.option("--order", "order_name", help="Everything unhandled about one order: its number or id.")
@click.option("--dry-run", is_flag=True, help="Say what would change and which mails would go out; do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def replay(event: str | None, failed: bool, order_name: str | None, dry_run: bool, as_json: bool) -> None:  # noqa: FBT001
    """Handle stored events again: one by its id, all that failed, or those of an order, which is settled too.

    \b
    Example:
      flask stripe replay evt_1Q… --dry-run
      flask stripe replay --failed
      flask stripe replay --order NSL-1087
    """
    if sum((event is not None, failed, order_name is not None)) != 1:
        raise click.UsageError("Name one event, or say --failed, or --order with a number or id.")
    order_id = None if order_name is None else find_order_id(order_name)
    if event is not None:
        event_ids = [event]
    elif order_id is not None:
        event_ids = list_events_of_order(order_id)
    else:
        event_ids = [each.id for each in reversed(list_events(state="failed", limit=MOST_EVENTS))]
    outcome = None
    if order_id is not None:
        outcome = plan_order(order_id) if dry_run else heal_order(order_id)
    replays = [plan_replay(each) if dry_run else replay_event(each) for each in event_ids]
    told = None if outcome is None else outcome.as_dict()
    _tell_replayed(replays, told, is_plan=dry_run, as_json=as_json)
    is_order_well = outcome is None or outcome.result in {"healed", "would_heal"}
    if not is_order_well or any(each.has_failed for each in replays):
        raise click.exceptions.Exit(1)


@stripe.command("events")
@click.option("--state", type=click.Choice(["received", "handled", "ignored", "failed"]), help="Only those.")
@click.option("--limit", type=click.IntRange(1, MOST_EVENTS), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def events(state: str | None, limit: int, as_json: bool) -> None:  # noqa: FBT001
    """List the events that came, newest first. Example: flask stripe events --state failed"""
    rows = list_events(state=state, limit=limit)
    if as_json:
        names = ("id", "type", "state", "object_id", "received_at", "handled_at", "delivery_count", "attempt_count")
        _print_json({"events": [{name: getattr(row, name) for name in names} | {"error": row.error} for row in rows]})
        return
    for row in rows:
        why = f"  {row.error}" if row.error else ""
        click.echo(f"{row.received_at:%Y-%m-%d %H:%M:%S}  {row.state:<8}  {row.id}  {row.type}{why}")
    click.echo(f"{len(rows)} events.")


@stripe.command("findings")
@click.option("--resolve", "key", help="Take this one off the list; say why with --because.")
@click.option("--because", help="What was done about it, for whoever asks later.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def findings(key: str | None, because: str | None, as_json: bool) -> None:  # noqa: FBT001
    """List what needs a person, or take something off the list.

    \b
    Example:
      flask stripe findings
      flask stripe findings --resolve code_over_limit:ord_… --because "Agreed with the buyer."
    """
    if (key is None) != (because is None):
        raise click.UsageError("--resolve and --because go together.")
    if key is not None and because is not None:
        get_finding(key)
        if not close_finding(key=key, resolution=because):
            raise click.ClickException("That one was off the list already.")
    rows = list_open_findings()
    if as_json:
        _print_json({"findings": [_as_dict(row) for row in rows]})
        return
    for row in rows:
        click.echo(f"{row.created_at:%Y-%m-%d %H:%M}  {row.key}\n{'':>18}{row.detail}")
    click.echo(f"{len(rows)} things need a person.")


def _plan(since: datetime) -> tuple[list[dict[str, Any]], bool]:
    outcomes: list[dict[str, Any]] = []
    try:
        outcomes.extend(outcome.as_dict() for outcome in plan_run(since=since))
    except PaymentUnavailable:
        return outcomes, False
    return outcomes, True


def _work_to_the_end(run_key: str) -> bool:
    """Go through every page; False when Stripe stopped answering, or others hold pages and do not go on."""
    deadline = time.monotonic() + LEASE.total_seconds()
    while True:
        scans = list_scans(run_key)
        unfinished = [scan.id for scan in scans if scan.finished_at is None]
        if not unfinished:
            return True
        steps = {work_on_page(scan_id) for scan_id in unfinished}
        if "unavailable" in steps:
            return False
        if "worked" in steps:
            click.echo(f"{sum(scan.seen_count for scan in list_scans(run_key))} looked at …", err=True)
            deadline = time.monotonic() + LEASE.total_seconds()
        elif time.monotonic() > deadline:
            return False
        else:
            time.sleep(WAIT_SECONDS)


def _tell_reconciled(
    outcomes: list[dict[str, Any]], open_findings: list[Finding], *, is_plan: bool, is_complete: bool, as_json: bool
) -> None:
    counts = dict.fromkeys(("would_heal" if is_plan else "healed", "unhealed", "unanswered"), 0)
    for outcome in outcomes:
        counts[outcome["result"]] += 1
    if as_json:
        facts = {"dry_run": is_plan, "complete": is_complete, "differed": outcomes, "counts": counts}
        _print_json(facts | {"findings": [_as_dict(row) for row in open_findings]})
        return
    for outcome in outcomes:
        _echo_lines(tell_outcome(outcome))
    for finding in open_findings:
        click.echo(f"needs attention  {finding.key}\n{'':>17}{finding.detail}")
    if not is_complete:
        click.echo("Not finished: Stripe doesn’t answer, or another process is at it. Run this again to go on.")
    summary = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    click.echo(f"{len(outcomes)} differed: {summary}; {len(open_findings)} need attention.")


def _tell_replayed(
    replays: list[Replay], order: Mapping[str, Any] | None, *, is_plan: bool, as_json: bool
) -> None:  # fmt: skip
    facts = [each.as_dict() for each in replays]
    if as_json:
        _print_json({"dry_run": is_plan, "events": facts, "order": order})
        return
    if order is not None:
        _echo_lines(tell_outcome(order))
    for each in facts:
        click.echo(f"{each['event_id']}  {each['type']}: {each['state_before']} -> {each['state_after']}")
        _echo_lines(f"  {line}" for line in tell_difference(each["difference"]))
        if each["note"]:
            click.echo(f"  {each['note']}")
    failed = sum(each.has_failed for each in replays)
    click.echo(f"{'Would replay' if is_plan else 'Replayed'} {len(replays)} events, {failed} without success.")


def _echo_lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _as_dict(finding: Finding) -> dict[str, Any]:
    return {"key": finding.key, "kind": finding.kind, "detail": finding.detail, "since": finding.created_at}


def _print_json(facts: Mapping[str, Any]) -> None:
    click.echo(json.dumps(facts, default=lambda value: value.isoformat(), ensure_ascii=False))
