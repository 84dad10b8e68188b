"""What facts say by a code, people read in words of their own language."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from services.billing.domain.autopay import Failure
from services.notifications.checking import SPOKEN, codes, example, listed_values, problems
from services.notifications.handlers import router
from services.notifications.rendering import FOLDER, LOCALES, Templates
from shared.contracts.billing import RewardCreditRefused

TEMPLATES = Templates()
SAME_IN_SPANISH = {"normal"}


def mail(locale: str, said: dict[str, Any], template: str = "office") -> str:
    return TEMPLATES.render(template, locale, example(TEMPLATES, template) | said).text


@pytest.mark.parametrize("name", [*SPOKEN, "template"])
@pytest.mark.parametrize("locale", LOCALES)
def test_the_office_reads_every_code_in_words(locale: str, name: str) -> None:
    for code in codes()[name]:
        text = mail(locale, {name: code})

        assert f": {TEMPLATES.words(locale)[name][code]}\n" in text
        if locale == "es" and code not in SAME_IN_SPANISH:
            assert f": {code}\n" not in text


def test_every_listed_value_that_the_office_is_shown_is_among_the_codes() -> None:
    source = (FOLDER / "es" / "office.txt").read_text(encoding="utf-8")
    shown = set(re.findall(r"\(\"([a-z_]+)\", ", source))
    listed = {
        name
        for subscription in router.subscriptions
        for name, field in subscription.contract.model_fields.items()
        if listed_values(field.annotation)
    }

    assert shown & listed == set(SPOKEN)


@pytest.mark.parametrize("template", ["office", "autopay_failed"])
@pytest.mark.parametrize("locale", LOCALES)
def test_why_a_charge_failed_is_said_in_words(locale: str, template: str) -> None:
    for failure in Failure:
        assert f": {TEMPLATES.words(locale)['failure'][failure]}\n" in mail(
            locale, {"failure": failure}, template
        )


def test_why_a_reward_came_back_has_its_words_in_every_language() -> None:
    refusals = listed_values(RewardCreditRefused.model_fields["reason"].annotation)

    for locale in LOCALES:
        assert refusals | {"payment_reversed"} <= TEMPLATES.words(locale)["reason"].keys()


def test_what_somebody_wrote_stays_as_it_is() -> None:
    assert "  Motivo: the boiler, again\n" in mail("es", {"reason": "the boiler, again"})


@pytest.mark.parametrize(
    ("reward", "rule"),
    [
        ({"kind_of_rule": "streak", "months": 6, "rule": "streak:6"}, "6 meses seguidos a tiempo"),
        ({"kind_of_rule": "prepayment", "rule": "prepayment:50000"}, "pagado por adelantado"),
        ({"kind_of_rule": "by_hand", "rule": "hand:gift-7"}, "a mano"),
    ],
)
def test_the_rule_of_a_reward_is_said_in_words(reward: dict[str, Any], rule: str) -> None:
    assert f"  Regla: {rule}\n" in mail("es", {"entry_id": "0198c1d2", **reward})


def test_a_code_without_words_is_found_by_the_check(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "templates"))
    path = folder / "es" / "codes.txt"
    path.write_text(path.read_text(encoding="utf-8").replace('"low": "baja"', '"lowest": "baja"'), "utf-8")

    assert list(problems(Templates(folder))) == ["es/codes.txt: has no words for priority low"]
