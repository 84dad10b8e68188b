"""From the trigger to the e-mail: who has not paid is reminded, once."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from propman.dev import ServerUrls
from services.billing.domain.periods import first_day, following, period_of
from shared.clock import SystemClock
from tests.support.system import System, a_system, load, mails_in

REMINDED = """
select d.channel, d.state from deliveries d join notifications n on n.id = d.notification_id
where n.template = 'reminder' order by d.channel"""


SAID = "select number from reminders join invoices using (invoice_id) where reminders.state = 'said'"


async def remind_on(system: System, day: date, hour: int) -> None:
    """The trigger, as if it were that hour, and everything that follows from it."""
    moment = datetime.combine(day, time(hour), tzinfo=UTC).isoformat()
    await system.command("trigger", "payment-reminders", "--as-of", moment, "--wait")
    await system.quiet()


async def test_who_has_not_paid_is_reminded_by_mail_and_in_the_app_once(
    servers: ServerUrls, tmp_path: Path
) -> None:
    month = following(following(period_of(SystemClock().now().date())))
    three_days_before = first_day(month) - timedelta(days=3)
    async with a_system(servers, tmp_path) as system:
        system.start("leasing", "billing", "notifications", "scheduler")
        await load(system, tmp_path, 2)
        await system.command("trigger", "monthly-billing", "--month", month, "--wait")
        [paid, open_one] = [
            row[0] for row in await system.ask("billing", "select number from invoices order by 1")
        ]
        money = ("--amount", "5000", "--reference", "R1")
        await system.command("billing", "record-payment", "--invoice", paid, *money)
        await system.quiet()
        before = set(servers.mail_dir.glob("*.eml"))

        await remind_on(system, three_days_before, 17)
        await remind_on(system, three_days_before, 18)

        assert [tuple(row) for row in await system.ask("notifications", REMINDED)] == [
            ("email", "sent"),
            ("in_app", "delivered"),
        ]
        assert [row[0] for row in await system.ask("billing", SAID)] == [open_one]
        assert set(system.terminate().values()) == {0}
    mails = mails_in(set(servers.mail_dir.glob("*.eml")) - before)
    assert [len(found) for found in mails.values()] == [1]
