"""Stripe's codes, put into the few classes that decide what happens next.

Which declines are worth another try, and which are not, is from docs.stripe.com/declines/codes and its
`advice_code`. A code that Stripe adds later counts as a plain decline.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from services.billing.domain.autopay import Failure

_CLASSES: Final[dict[Failure, str]] = {
    Failure.INSUFFICIENT_FUNDS: "insufficient_funds card_velocity_exceeded withdrawal_count_limit_exceeded",
    Failure.TEMPORARY: "try_again_later issuer_not_available processing_error reenter_transaction"
    " approve_with_id bank_account_unusable_temporarily",
    Failure.METHOD_INVALID: "expired_card invalid_account new_account_information_available incorrect_number"
    " invalid_number invalid_expiry_month invalid_expiry_year incorrect_cvc invalid_cvc incorrect_zip"
    " incorrect_address card_not_supported currency_not_supported transaction_not_allowed"
    " not_permitted restricted_card testmode_decline account_closed no_account bank_account_restricted"
    " debit_not_authorized invalid_account_number invalid_currency payment_method_not_available"
    " payment_method_unactivated do_not_try_again resource_missing payment_method_unexpected_state",
    Failure.AUTHENTICATION_REQUIRED: "authentication_required payment_intent_authentication_failure"
    " authentication_not_handled mobile_device_authentication_required offline_pin_required"
    " online_or_offline_pin_required pin_required",
    Failure.SUSPECTED_FRAUD: "fraudulent lost_card stolen_card pickup_card merchant_blacklist"
    " security_violation highest_risk_level",
    Failure.CONSENT_REVOKED: "revocation_of_authorization revocation_of_all_authorizations"
    " stop_payment_order customer_revoked_authorization",
}
_BY_CODE: Final = {code: failure for failure, codes in _CLASSES.items() for code in codes.split()}
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")


def failure_of(error: Mapping[str, Any]) -> Failure:
    """The class of a decline, by the most telling of its codes."""
    codes = (error.get("decline_code"), error.get("code"), error.get("failure_code"))
    found = next((_BY_CODE[code] for code in codes if isinstance(code, str) and code in _BY_CODE), None)
    if found is None:
        found = Failure.DECLINED if error.get("type") != "invalid_request_error" else Failure.REJECTED
    if error.get("advice_code") == "do_not_try_again" and found in {Failure.DECLINED, Failure.TEMPORARY}:
        return Failure.METHOD_INVALID
    return found


def detail_of(status: int | None, error: Mapping[str, Any]) -> str:
    """Status and codes for the log, never a message: those may carry what a tenant typed."""
    values = (error.get(name) for name in ("type", "code", "decline_code", "advice_code", "param"))
    words = [value for value in values if isinstance(value, str) and _WORD.fullmatch(value)]
    return " ".join([str(status), *words] if status is not None else words)
