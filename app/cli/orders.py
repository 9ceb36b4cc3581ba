"""flask orders list | show | refund."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from flask.cli import AppGroup

from app.checkout.refund_orders import RefundOutcome, refund_order
from app.checkout.refund_plans import RefundPlan, RefundScope, preview_refund
from app.cli.files import fail_in_words
from app.cli.spans import parse_since
from app.errors import InvalidInput
from app.formatting import money
from app.money import MoneyError, parse_amount
from app.reports.order_files import (
    ORDER_STATES,
    OrderFilter,
    find_order_public_id,
    get_order_currency,
    get_order_file,
    list_orders,
)

orders = AppGroup("orders", help="Orders: find them, look into one, give money back.")

LIMITS = click.IntRange(1, 10_000)


@orders.command("list")
@click.option("--state", type=click.Choice(ORDER_STATES), help="Only orders in this state.")
@click.option("--email", default="", help="Only orders of this address.")
@click.option("--since", help="Only orders begun from this day or time on (the shop’s time zone).")
@click.option("--limit", type=LIMITS, default=50, show_default=True, help="At most so many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def list_command(*, state: str | None, email: str, since: str | None, limit: int, as_json: bool) -> None:
    """List orders, newest first. Amounts in JSON are in minor units.

    \b
    Example:
      flask orders list --state paid --since 2026-01-01
      flask orders list --email maya@example.org --json
    """
    found = list_orders(OrderFilter(state=state, email=email, since=parse_since(since)), limit=limit)
    if as_json:
        _print_json({"orders": found})
        return
    for order in found:
        name = order["number"] or order["order"]
        amount = money(order["charged_amount"], order["currency"])
        click.echo(f"{name:<28} {order['state']:<18} {amount:>12}  {order['email']}  {', '.join(order['titles'])}")
    click.echo(f"{len(found)} orders.")


@orders.command("show")
@click.argument("order")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: everything stored about the order.")
@fail_in_words
def show_command(*, order: str, as_json: bool) -> None:
    """Show one order, named by its number or its id.

    \b
    Example:
      flask orders show NSL-1001
      flask orders show ord_4xkQ --json
    """
    found = get_order_file(find_order_public_id(order))
    if as_json:
        _print_json(found)
    else:
        _tell_order(found)


@orders.command("refund")
@click.argument("order")
@click.option("--seat", "seats", type=click.IntRange(1), multiple=True, help="This seat only; may be given again.")
@click.option("--line", type=click.IntRange(1), help="This line only, with all its seats.")
@click.option("--amount", help="So much, such as 10.00; seats stay open until everything is back.")
@click.option("--reason", required=True, help="Why, for the order’s history.")
@click.option("--key", help="A name of your own for this refund: the same one never refunds twice.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and do nothing.")
@click.option("--yes", is_flag=True, help="Don’t ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def refund_command(
    *,
    order: str,
    seats: tuple[int, ...],
    line: int | None,
    amount: str | None,
    reason: str,
    key: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Give money back: everything that is left, or the seats, the line or the amount that you name.

    Seats and lines are numbered as in `flask orders show`. Exit code 1 unless all of it was sent.

    \b
    Example:
      flask orders refund NSL-1001 --seat 2 --reason "Left the team" --dry-run
      flask orders refund NSL-1001 --amount 10.00 --reason "Late start" --yes --json
    """
    public_id = find_order_public_id(order)
    scope = RefundScope(amount=_read_amount(public_id, amount), line=line, seats=seats)
    request_key = f"cli:{key}" if key else f"cli:{secrets.token_hex(16)}"
    # A repeated key tells what became of its refund, which is no longer there to be planned.
    plan = None if key and not dry_run else preview_refund(order_public_id=public_id, scope=scope)
    lines = _describe_plan(plan) if plan is not None else []
    if dry_run and plan is not None:
        if as_json:
            _print_json({"dry_run": True, **asdict(plan)})
        else:
            click.echo("\n".join([*lines, "Nothing was done."]))
        return
    if not yes:
        click.echo("\n".join(lines), err=True)
        click.confirm("Give the money back?", abort=True, err=True)
    outcome = refund_order(order_public_id=public_id, request_key=request_key, scope=scope, reason=reason)
    _tell_outcome(outcome, as_json=as_json)
    if not outcome.is_done:
        raise click.exceptions.Exit(1)


def _read_amount(public_id: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_amount(text, get_order_currency(public_id))
    except MoneyError as error:
        raise InvalidInput(str(error), field="amount") from error


def _describe_plan(plan: RefundPlan) -> list[str]:
    lines = [f"Order {plan.order_number}: {money(plan.amount, plan.currency)} goes back."]
    for seat in plan.closing:
        kept = f"; keeps {', '.join(seat.kept_titles)} by another grant" if seat.kept_titles else ""
        lines.append(f"  Seat {seat.number} closes: {', '.join(seat.titles)}, {seat.holder or 'nobody yet'}{kept}.")
    lines.append(f"  Seats that stay open: {plan.staying_seats}. The order becomes {plan.state_after}.")
    if plan.freed_capacity:
        lines.append(f"  Places that become free: {plan.freed_capacity}.")
    if plan.freed_code:
        lines.append(f"  A use of the code {plan.freed_code} is given back.")
    rest = money(plan.left_amount - plan.amount, plan.currency)
    return [*lines, f"  {rest} can still be refunded afterwards."]


def _tell_outcome(outcome: RefundOutcome, *, as_json: bool) -> None:
    if as_json:
        _print_json({"dry_run": False, **asdict(outcome)})
        return
    for refund in outcome.refunds:
        what = f"seat {refund.seat}" if refund.seat else f"line {refund.line}" if refund.line else "the order"
        amount = money(refund.amount, outcome.currency)
        click.echo(f"{refund.status:>8}  {amount} of {what}  {refund.stripe_refund_id or ''}".rstrip())
    click.echo(f"The order is {outcome.state}.")
    if any(refund.status == "waiting" for refund in outcome.refunds):
        click.echo("Stripe hasn’t answered: the refund is stored and the worker goes on trying.", err=True)
    if any(refund.status == "refused" for refund in outcome.refunds):
        click.echo("Stripe refused: look at the payment in its dashboard.", err=True)


def _tell_order(found: dict[str, Any]) -> None:
    currency = found["currency"]
    click.echo(f"Order {found['number'] or found['order']}: {found['state']}, {found['email'] or 'no address yet'}")
    click.echo(f"  {found['order']}, begun {found['created_at']}, paid {found['paid_at'] or 'not yet'}")
    for item in found["items"]:
        amount = money(item["total_amount"], currency)
        click.echo(f"  Line {item['line']}: {item['title']} x {item['quantity']}, {amount}")
    click.echo(
        f"  Charged {money(found['charged_amount'], currency)}, captured {money(found['captured_amount'], currency)},"
        f" refunded {money(found['refunded_amount'], currency)}, net {money(found['net_amount'], currency)}"
    )
    _tell_rows("Seats", [f"{each['seat']}: {each['status']}, {each['holder'] or 'free'}" for each in found["seats"]])
    _tell_rows(
        "Ledger",
        [
            f"{each['occurred_at']}  {each['kind']}  {money(each['amount'], currency)}  {each['stripe_object']}"
            for each in found["ledger"]
        ],
    )
    _tell_rows(
        "Mails", [f"{each['sent_at'] or 'not sent'}  {each['template']}  {each['to']}" for each in found["mails"]]
    )
    _tell_rows("Events", [f"{each['received_at']}  {each['type']}  {each['state']}" for each in found["events"]])
    _tell_rows(
        "Needs attention",
        [f"{each['kind']}: {each['detail']}" for each in found["findings"] if not each["resolved_at"]],
    )


def _tell_rows(title: str, rows: Sequence[str]) -> None:
    if rows:
        click.echo(f"{title}:")
        for row in rows:
            click.echo(f"  {row}")


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
