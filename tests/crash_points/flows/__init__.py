"""The flows of the payment path, each small: what is there before, what is killed, and what happens in life after that."""

from tests.crash_points.flows.beginning import FLOWS as BEGINNING
from tests.crash_points.flows.flow import Flow
from tests.crash_points.flows.returning import FLOWS as RETURNING
from tests.crash_points.flows.seats import FLOWS as SEATS
from tests.crash_points.flows.settling import FLOWS as SETTLING

FLOWS: dict[str, Flow] = {flow.name: flow for flow in (*BEGINNING, *SETTLING, *RETURNING, *SEATS)}
