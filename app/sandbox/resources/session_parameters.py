"""What may be sent when a Checkout Session is made. Source: Stripe's contract of 2026-10-28.endive."""

from app.sandbox.documents import words
from app.sandbox.parameters import (
    Address,
    Currency,
    Email,
    Flag,
    Kind,
    Metadata,
    Range,
    Record,
    Several,
    Text,
    Whole,
    listing,
    operation,
)
from app.sandbox.resources.prices import LARGEST_UNIT_AMOUNT, RECURRING

LOCALES = words(
    "auto bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hi-IN hr hu id it ja ko lt lv ms mt nb nl pl pt "
    "pt-BR ro ru sk sl sv th tr vi zh zh-HK zh-TW"
)
PAYMENT_METHOD_TYPES = words(
    "acss_debit affirm afterpay_clearpay alipay alma amazon_pay au_becs_debit bacs_debit bancontact billie bizum "
    "blik boleto card cashapp crypto customer_balance eps fpx giropay grabpay ideal kakao_pay klarna konbini "
    "kr_card link mb_way mobilepay multibanco naver_pay nz_bank_account oxxo p24 pay_by_bank payco paynow paypal "
    "paypay payto pix promptpay revolut_pay samsung_pay satispay scalapay sepa_debit sequra sofort sunbit swish "
    "twint upi us_bank_account wechat_pay zip"
)
_METHODS = Several(Text(choices=PAYMENT_METHOD_TYPES))
_MESSAGE = Record({"message": Text(1200)}, ("message",), can_unset=True)
_NAME_COLLECTION = Record({"enabled": Flag(), "optional": Flag()}, ("enabled",))

_PRICE_DATA = Record(
    {
        "currency": Currency(),
        "product": Text(),
        "product_data": Record(
            {
                "name": Text(),
                "description": Text(40_000),
                "images": Several(Address(), most=8),
                "metadata": Metadata(can_unset=False),
                "tax_code": Text(),
                "unit_label": Text(12),
            },
            ("name",),
            frozenset({"tax_details"}),
        ),
        "recurring": RECURRING,
        "tax_behavior": Text(choices=("exclusive", "inclusive", "unspecified")),
        "unit_amount": Whole(0, LARGEST_UNIT_AMOUNT),
    },
    ("currency",),
    frozenset({"unit_amount_decimal"}),
)
_LINE_ITEM = Record(
    {
        "adjustable_quantity": Record(
            {"enabled": Flag(), "maximum": Whole(1, 999_999), "minimum": Whole(0, 999_999)}, ("enabled",)
        ),
        "metadata": Metadata(can_unset=False),
        "price": Text(),
        "price_data": _PRICE_DATA,
        "quantity": Whole(0, 999_999),
    },
    elsewhere=frozenset({"tax_rates"}),
)
_PAYMENT_INTENT_DATA = Record(
    {
        "description": Text(1000),
        "metadata": Metadata(can_unset=False),
        "receipt_email": Email(),
        "statement_descriptor": Text(22),
        "statement_descriptor_suffix": Text(22),
        "setup_future_usage": Text(choices=("off_session", "on_session")),
        "transfer_group": Text(),
        "capture_method": Text(choices=("automatic", "automatic_async")),
    },
    elsewhere=frozenset({"application_fee_amount", "on_behalf_of", "shipping", "transfer_data"}),
)
_INVOICE_DATA = Record(
    {
        "custom_fields": Several(Record({"name": Text(40), "value": Text(140)}, ("name", "value")), most=4),
        "description": Text(1500),
        "footer": Text(5000),
        "metadata": Metadata(),
    },
    elsewhere=frozenset({"account_tax_ids", "issuer", "rendering_options"}),
)
_LIABILITY = Record({"type": Text(choices=("self",))}, ("type",), frozenset({"account"}))

_FIELDS: dict[str, Kind] = {
    "adaptive_pricing": Record({"enabled": Flag()}),
    "allow_promotion_codes": Flag(),
    "allowed_payment_method_types": _METHODS,
    "automatic_tax": Record({"enabled": Flag(), "liability": _LIABILITY}, ("enabled",)),
    "billing_address_collection": Text(choices=("auto", "required")),
    "cancel_url": Address(),
    "client_reference_id": Text(200),
    "consent_collection": Record(
        {
            "payment_method_reuse_agreement": Record({"position": Text(choices=("auto", "hidden"))}, ("position",)),
            "promotions": Text(choices=("auto", "none")),
            "terms_of_service": Text(choices=("none", "required")),
        }
    ),
    "currency": Currency(),
    "custom_text": Record(
        {
            "after_submit": _MESSAGE,
            "shipping_address": _MESSAGE,
            "submit": _MESSAGE,
            "terms_of_service_acceptance": _MESSAGE,
        }
    ),
    "customer": Text(),
    "customer_creation": Text(choices=("always", "if_required")),
    "customer_email": Email(),
    "customer_update": Record({name: Text(choices=("auto", "never")) for name in ("address", "name", "shipping")}),
    "discounts": Several(Record({"coupon": Text(), "promotion_code": Text()}), most=1),
    "excluded_payment_method_types": _METHODS,
    "expires_at": Whole(),
    "invoice_creation": Record({"enabled": Flag(), "invoice_data": _INVOICE_DATA}, ("enabled",)),
    "line_items": Several(_LINE_ITEM, most=100),
    "locale": Text(choices=LOCALES),
    "metadata": Metadata(can_unset=False),
    "mode": Text(choices=("payment", "setup", "subscription")),
    "name_collection": Record({"business": _NAME_COLLECTION, "individual": _NAME_COLLECTION}),
    "origin_context": Text(choices=("mobile_app", "web")),
    "payment_intent_data": _PAYMENT_INTENT_DATA,
    "phone_number_collection": Record({"enabled": Flag()}, ("enabled",)),
    "submit_type": Text(choices=("auto", "book", "donate", "pay", "subscribe")),
    "success_url": Address(),
    "tax_id_collection": Record({"enabled": Flag(), "required": Text(choices=("if_supported", "never"))}, ("enabled",)),
    "ui_mode": Text(choices=("hosted_page", "embedded_page", "elements")),
}
CREATE = operation(
    _FIELDS,
    elsewhere="after_expiration branding_settings custom_fields customer_account integration_identifier "
    "managed_payments optional_items payment_method_collection payment_method_configuration payment_method_data "
    "payment_method_options permissions redirect_on_completion return_url saved_payment_method_options "
    "setup_intent_data shipping_address_collection shipping_options subscription_data wallet_options",
)
UPDATE = operation(
    {"metadata": Metadata()}, elsewhere="collected_information line_items shipping_options payment_intent_data"
)
LIST = listing(
    {
        "created": Range(),
        "customer": Text(),
        "customer_details": Record({"email": Text()}, ("email",)),
        "payment_intent": Text(),
        "status": Text(choices=("complete", "expired", "open")),
    },
    "customer_account payment_link subscription",
)
LINE_ITEMS = listing()
EXPIRE = operation()
RETRIEVE = operation()
