"""The flows of the payment path, each small: what is there before, what is killed, and what happens in life after that."""

from tests.crash_points.flows.beginning import FLOWS as BEGINNING
from tests.crash_points.flows.flow import Flow
from tests.crash_points.flows.money_returns import FLOWS as MONEY_RETURNS
from tests.crash_points.flows.reconciling import FLOWS as RECONCILING
from tests.crash_points.flows.returning import FLOWS as RETURNING
from tests.crash_points.flows.seats import FLOWS as SEATS
from tests.crash_points.flows.settling import FLOWS as SETTLING
from tests.crash_points.flows.team_seats import FLOWS as TEAM_SEATS

ALL = (*BEGINNING, *SETTLING, *RETURNING, *MONEY_RETURNS, *SEATS, *TEAM_SEATS, *RECONCILING)
FLOWS: dict[str, Flow] = {flow.name: flow for flow in ALL}
