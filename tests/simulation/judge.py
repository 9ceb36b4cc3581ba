"""Holds the shop against the model, and both against the invariants I1-I7 of payments.md. One sentence a divergence."""

from collections.abc import Callable

from tests.simulation.case import Case, open_case
from tests.simulation.check_access import check_codes, check_limits, check_seats_and_access
from tests.simulation.check_mails import check_mails
from tests.simulation.check_money import (
    check_buyers,
    check_every_session_has_its_order,
    check_ledger,
    check_money_that_goes_back_by_itself,
    check_nobody_pays_twice,
    check_prices,
    check_states,
)
from tests.simulation.check_rest import check_events, check_findings, check_numbers, check_reconciler
from tests.simulation.check_seats import check_people_in_seats, check_shared_links
from tests.simulation.check_settings import check_consents, check_invoices, check_tax
from tests.simulation.world import World

CHECKS: tuple[Callable[[Case], list[str]], ...] = (
    check_every_session_has_its_order,
    check_buyers,
    check_prices,
    check_states,
    check_ledger,
    check_money_that_goes_back_by_itself,
    check_nobody_pays_twice,
    check_tax,
    check_invoices,
    check_consents,
    check_seats_and_access,
    check_people_in_seats,
    check_shared_links,
    check_limits,
    check_codes,
    check_numbers,
    check_mails,
    check_events,
    check_findings,
    check_reconciler,
)


def judge(world: World) -> list[str]:
    """Every divergence of a shop that has come to rest."""
    case = open_case(world)
    world.counts["taxed orders"] += sum(order["tax_amount"] > 0 for order in case.shop.orders)
    world.counts["invoices"] += len(case.books.invoices)
    world.counts["consents"] += len(case.shop.consents)
    world.counts["late payments"] += sum(each["kind"] == "late_payment" for each in case.shop.findings)
    world.counts["second payments"] += sum(each["kind"] == "second_payment" for each in case.shop.findings)
    world.counts["seats lost"] += sum(grant["revoked_at"] is not None for grant in case.shop.grants)
    return [sentence for check in CHECKS for sentence in check(case)]
