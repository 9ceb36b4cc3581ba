"""Which request is which operation: method, address, parameters, handler."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from app.sandbox.config import SandboxConfig
from app.sandbox.documents import Document
from app.sandbox.parameters import Record, operation
from app.sandbox.resources import (
    account,
    balance,
    coupons,
    customers,
    disputes,
    endpoints,
    events,
    fraud_warnings,
    invoices,
    payment_methods,
    payments,
    prices,
    products,
    promotion_codes,
    refunds,
    session_parameters,
    sessions,
    tax_rates,
    tax_settings,
)

Handler = Callable[..., Document]


@dataclass(frozen=True)
class Operation:
    """One thing the API can do."""

    method: str
    pattern: re.Pattern[str]
    parameters: Record
    handler: Handler


class Operations:
    """All of them, ready to be found by method and path."""

    def __init__(self, config: SandboxConfig) -> None:
        plain = operation()
        table: list[tuple[str, str, Record, Handler]] = [
            ("GET", "/v1/account", account.RETRIEVE, account.retrieve_account),
            ("POST", "/v1/products", products.CREATE, products.create_product),
            ("GET", "/v1/products", products.LIST, products.list_products),
            ("GET", "/v1/products/{}", plain, products.retrieve_product),
            ("POST", "/v1/products/{}", products.UPDATE, products.update_product),
            ("DELETE", "/v1/products/{}", Record({}), products.delete_product),
            ("POST", "/v1/prices", prices.CREATE, prices.create_price),
            ("GET", "/v1/prices", prices.LIST, prices.list_prices),
            ("GET", "/v1/prices/{}", plain, prices.retrieve_price),
            ("POST", "/v1/prices/{}", prices.UPDATE, prices.update_price),
            (
                "POST",
                "/v1/checkout/sessions",
                session_parameters.CREATE,
                partial(sessions.create_session, config.base_url),
            ),
            ("GET", "/v1/checkout/sessions", session_parameters.LIST, sessions.list_sessions),
            ("GET", "/v1/checkout/sessions/{}", session_parameters.RETRIEVE, sessions.retrieve_session),
            ("POST", "/v1/checkout/sessions/{}", session_parameters.UPDATE, sessions.update_session),
            ("POST", "/v1/checkout/sessions/{}/expire", session_parameters.EXPIRE, sessions.expire_session),
            ("GET", "/v1/checkout/sessions/{}/line_items", session_parameters.LINE_ITEMS, sessions.list_line_items),
            ("GET", "/v1/payment_intents", payments.LIST_INTENTS, payments.list_intents),
            ("GET", "/v1/payment_intents/{}", operation(elsewhere="client_secret"), payments.retrieve_intent),
            ("POST", "/v1/payment_intents/{}", payments.UPDATE_INTENT, payments.update_intent),
            ("GET", "/v1/payment_methods/{}", plain, payment_methods.retrieve_method),
            ("GET", "/v1/charges", payments.LIST_CHARGES, payments.list_charges),
            ("GET", "/v1/charges/{}", plain, payments.retrieve_charge),
            ("POST", "/v1/charges/{}", payments.UPDATE_CHARGE, payments.update_charge),
            ("POST", "/v1/customers", customers.CREATE, customers.create_customer),
            ("GET", "/v1/customers", customers.LIST, customers.list_customers),
            ("GET", "/v1/customers/{}", plain, customers.retrieve_customer),
            ("POST", "/v1/customers/{}", customers.UPDATE, customers.update_customer),
            ("DELETE", "/v1/customers/{}", Record({}), customers.delete_customer),
            ("POST", "/v1/refunds", refunds.CREATE, partial(refunds.create_refund, config.async_seconds)),
            ("GET", "/v1/refunds", refunds.LIST, refunds.list_refunds),
            ("GET", "/v1/refunds/{}", plain, refunds.retrieve_refund),
            ("POST", "/v1/refunds/{}", refunds.UPDATE, refunds.update_refund),
            ("POST", "/v1/promotion_codes", promotion_codes.CREATE, promotion_codes.create_promotion_code),
            ("GET", "/v1/promotion_codes", promotion_codes.LIST, promotion_codes.list_promotion_codes),
            ("GET", "/v1/promotion_codes/{}", plain, promotion_codes.retrieve_promotion_code),
            ("POST", "/v1/promotion_codes/{}", promotion_codes.UPDATE, promotion_codes.update_promotion_code),
            ("GET", "/v1/tax/settings", tax_settings.RETRIEVE, tax_settings.retrieve_tax_settings),
            ("POST", "/v1/tax/settings", tax_settings.UPDATE, tax_settings.update_tax_settings),
            ("GET", "/v1/tax_rates", tax_rates.LIST, tax_rates.list_tax_rates),
            ("GET", "/v1/tax_rates/{}", plain, tax_rates.retrieve_tax_rate),
            ("GET", "/v1/invoices", invoices.LIST, invoices.list_invoices),
            ("GET", "/v1/invoices/{}", plain, invoices.retrieve_invoice),
            ("GET", "/v1/invoices/{}/lines", invoices.LINES, invoices.list_lines),
            ("GET", "/v1/invoice_payments", invoices.LIST_PAYMENTS, invoices.list_invoice_payments),
            ("GET", "/v1/invoice_payments/{}", plain, invoices.retrieve_invoice_payment),
            ("POST", "/v1/coupons/{}", coupons.UPDATE, coupons.update_coupon),
            ("POST", "/v1/coupons", coupons.CREATE, coupons.create_coupon),
            ("GET", "/v1/coupons", coupons.LIST, coupons.list_coupons),
            ("GET", "/v1/coupons/{}", plain, coupons.retrieve_coupon),
            ("DELETE", "/v1/coupons/{}", Record({}), coupons.delete_coupon),
            ("GET", "/v1/radar/early_fraud_warnings", fraud_warnings.LIST, fraud_warnings.list_warnings),
            ("GET", "/v1/radar/early_fraud_warnings/{}", plain, fraud_warnings.retrieve_warning),
            ("GET", "/v1/disputes", disputes.LIST, disputes.list_disputes),
            ("GET", "/v1/disputes/{}", plain, disputes.retrieve_dispute),
            ("POST", "/v1/disputes/{}", disputes.UPDATE, disputes.update_dispute),
            ("POST", "/v1/disputes/{}/close", plain, disputes.accept_dispute),
            ("GET", "/v1/balance", balance.BALANCE, balance.retrieve_balance),
            ("GET", "/v1/balance_transactions", balance.LIST, balance.list_balance_transactions),
            ("GET", "/v1/balance_transactions/{}", balance.RETRIEVE, balance.retrieve_balance_transaction),
            ("GET", "/v1/events", events.LIST, events.list_events),
            ("GET", "/v1/events/{}", plain, events.retrieve_event),
            ("POST", "/v1/webhook_endpoints", endpoints.CREATE, endpoints.create_endpoint),
            ("GET", "/v1/webhook_endpoints", endpoints.LIST, endpoints.list_endpoints),
            ("GET", "/v1/webhook_endpoints/{}", plain, endpoints.retrieve_endpoint),
            ("POST", "/v1/webhook_endpoints/{}", endpoints.UPDATE, endpoints.update_endpoint),
            ("DELETE", "/v1/webhook_endpoints/{}", Record({}), endpoints.delete_endpoint),
        ]
        self._all = [
            Operation(method, re.compile(template.replace("{}", "([^/]+)")), parameters, handler)
            for method, template, parameters, handler in table
        ]

    def find(self, method: str, path: str) -> tuple[Operation, tuple[str, ...]] | None:
        """The operation and the ids in the path."""
        for each in self._all:
            matched = each.pattern.fullmatch(path) if each.method == method else None
            if matched is not None:
                return each, matched.groups()
        return None
