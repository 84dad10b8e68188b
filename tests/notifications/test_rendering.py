"""Texts: readable, complete or refused, and never a way for a tenant's data to become a template or markup."""

import json
from typing import Any

import pytest

from services.notifications.rendering import NotRenderable, Templates
from shared.contracts.billing import InvoiceCreated, PaymentRecorded
from shared.identity import new_id
from tests.notifications.office import a_payment, an_invoice

NAMES = {"tenant_name": "Ann Example", "property_name": "Oak House"}


def invoice(**fields: Any) -> dict[str, Any]:
    return as_stored(an_invoice(new_id(), **fields))


def as_stored(fact: InvoiceCreated | PaymentRecorded) -> dict[str, Any]:
    context: dict[str, Any] = json.loads(fact.model_dump_json(exclude={"tenant_ids"}))
    return context | NAMES


def receipt(**fields: Any) -> dict[str, Any]:
    return as_stored(a_payment(new_id(), **fields))


def test_an_invoice_says_what_is_owed_for_what_and_by_when() -> None:
    text = Templates().render("invoice", "en", invoice())

    assert text.subject == "Invoice INV-2026-000123: $1,550.00 due September 1, 2026"
    for part in (text.text, text.html):
        for said in ("Ann Example", "September 2026", "2B", "Oak House", "Parking", "$50.00", "$1,550.00"):
            assert said in part


def test_an_invoice_without_unit_or_known_property_has_no_gap_in_its_sentence() -> None:
    values = invoice(unit_label="") | {"property_name": "", "tenant_name": ""}

    text = Templates().render("invoice", "en", values).text

    assert text.startswith("Hello,\n")
    assert "for September 2026.\n" in text


def test_a_receipt_names_credit_only_when_there_is_some() -> None:
    without, with_credit = (
        Templates().render("receipt", "en", receipt(credit_cents=cents)) for cents in (0, 1_250)
    )

    assert "credit" not in without.text + without.html
    assert "Kept as credit: $12.50" in with_credit.text


def test_markup_in_data_is_escaped_in_html_and_kept_in_text() -> None:
    text = Templates().render("invoice", "en", invoice() | {"tenant_name": "<b>Bobby & Co</b>"})

    assert "&lt;b&gt;Bobby &amp; Co&lt;/b&gt;" in text.html
    assert "<b>Bobby & Co</b>" in text.text


def test_data_that_looks_like_a_template_is_not_run() -> None:
    text = Templates().render("announcement", "en", {"subject": "{{ 7*7 }}", "body": "{% raw %}{{ 7*7 }}"})

    assert text.subject == "{{ 7*7 }}"
    assert "{{ 7*7 }}" in text.text
    assert "49" not in text.text + text.html


def test_a_line_break_in_data_does_not_reach_the_subject() -> None:
    text = Templates().render("invoice", "en", invoice(number="INV-1\r\nBcc: all@example.com"))

    assert "\r" not in text.subject
    assert "\n" not in text.subject


def test_a_missing_value_is_refused_rather_than_left_out() -> None:
    values = invoice()
    del values["total_cents"]

    with pytest.raises(NotRenderable, match="total_cents"):
        Templates().render("invoice", "en", values)


def test_an_unknown_template_is_refused() -> None:
    with pytest.raises(NotRenderable, match="no template"):
        Templates().render("nothing", "en", {})


def test_a_language_without_templates_of_its_own_falls_back_to_english() -> None:
    assert Templates().render("invoice", "fi-FI", invoice()) == Templates().render("invoice", "en", invoice())


def test_a_locale_cannot_lead_out_of_the_templates() -> None:
    assert Templates().render("invoice", "../../domain", invoice()).subject.startswith("Invoice")


def test_paragraphs_of_an_announcement_stay_paragraphs() -> None:
    text = Templates().render("announcement", "en", {"subject": "s", "body": "one\ntwo\n\nthree"})

    assert text.html.count("<p>") == 2
    assert "one<br>" in text.html
