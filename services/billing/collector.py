"""The collector: takes planned charges one by one, asks their gateway, records what came of it.

No transaction is open while a gateway is asked: a claim commits before, its outcome after. A process that
dies in between leaves a charge in doubt, and a charge in doubt is looked up before it is asked for again.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter

from services.billing.domain.autopay import Answer, Result, State, Step, after_look_up, not_asked
from services.billing.gateways.payment_gateway import ChargeOrder, GatewayDown, PaymentGateway
from services.billing.handlers.charging import claim_is_due, take_answer
from services.billing.handlers.settling import lock_accounts
from services.billing.schema import CHARGES_CHANNEL
from services.billing.store import ChargeStore
from services.billing.store.charges import Charge
from shared.messaging.envelope import Envelope
from shared.messaging.errors import ErrorKind, classify, describe
from shared.messaging.transaction import Transactions, command_envelope
from shared.wake import WakeUp

LAST_TRIES: Final = 5
"""How often an outcome is still tried to be recorded once the process is to end."""

REST: Final = timedelta(seconds=5)
"""A gateway that was not reached is left alone for so long: the other charges would fare no better."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Collecting:
    """How much at once, and how long a claim holds: longer than a gateway may take to answer."""

    workers: int = 4
    lease: timedelta = timedelta(minutes=2)
    poll_seconds: float = 5.0


class CollectorMetrics:
    """What the collector counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register with the service's own registry."""
        self.asked = Counter(
            "propman_autopay_asked_total",
            "Charges asked for or about, by gateway and by what came of it.",
            ["gateway", "result"],
            registry=registry,
        )


class Collector:
    """Makes one service's charges for as long as it runs; any number of them share the work."""

    def __init__(
        self,
        *,
        transactions: Transactions,
        dsn: str,
        gateways: Mapping[str, PaymentGateway],
        metrics: CollectorMetrics,
        collecting: Collecting | None = None,
    ) -> None:
        """Charges of a gateway that is not among these stay planned."""
        self._transactions = transactions
        self._clock = transactions.clock
        self._gateways = gateways
        self._metrics = metrics
        self._collecting = collecting or Collecting()
        self._wake = WakeUp(dsn, CHARGES_CHANNEL)
        self._resting: dict[str, datetime] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Collect until stopped, whatever goes down meanwhile."""
        workers = [self._work() for _ in range(self._collecting.workers)]
        try:
            await asyncio.gather(self._wake.listen(), self._keep_house(), *workers)
        finally:
            for gateway in self._gateways.values():
                await gateway.close()

    def stop(self) -> None:
        """Finish the charges that are being asked for, take no more, and return from `run`."""
        self._stopping.set()
        self._wake.stop()

    async def _work(self) -> None:
        while not self._stopping.is_set():
            ticket = self._wake.ticket
            try:
                if await self.collect_next():
                    continue
            except Exception as error:  # noqa: BLE001 - the database is down, or we are wrong: neither ends the collecting
                log.warning("collector_interrupted", error=describe(error))
                await self._sleep()
                continue
            await self._wake.after(ticket, 60)

    async def collect_next(self) -> bool:
        """Deal with the charge that has waited longest; False when none is due."""
        charge, due = await self._claim()
        if charge is None:
            return False
        if not due:
            log.info("charge_dropped", charge_id=str(charge.charge_id))
        elif charge.state is State.CLAIMED:
            answer = await self._gateways[charge.gateway].charge(_order(charge))
            await self._until_recorded(charge, answer)
            self._rest(charge.gateway, answer)
        else:
            await self._look_up(charge)
        return True

    async def _claim(self) -> tuple[Charge | None, bool]:
        """A charge that is ours, and whether it is still needed."""
        async with self._transactions.command("billing.claim_charge") as tx:
            names = [name for name in self._gateways if self._resting.get(name, tx.at) <= tx.at]
            charge = await ChargeStore(tx.connection).claim_next(names, tx.at, self._collecting.lease)
            if charge is None or charge.state is not State.CLAIMED:
                return charge, True
            # Whoever pays this account at this moment is waited for, so that nothing is asked for twice.
            await lock_accounts(tx, [charge.account_id])
            amount_cents = await claim_is_due(tx, charge.charge_id)
        return replace(charge, amount_cents=amount_cents or charge.amount_cents), amount_cents is not None

    def _rest(self, gateway: str, answer: Answer) -> None:
        """Leave a gateway alone for a moment that is down, busy, or does not want us."""
        if answer.result in {Result.NOT_MADE, Result.REFUSED_US}:
            pause = max(answer.wait or REST, REST)
            self._resting[gateway] = self._clock.now() + pause

    async def _look_up(self, charge: Charge) -> None:
        gateway = self._gateways[charge.gateway]
        at = self._clock.now()
        try:
            answer = await gateway.look_up(_order(charge), charge.gateway_ref)
            step = after_look_up(charge.state, answer, tries=charge.tries, at=at)
        except GatewayDown as down:
            log.warning("gateway_not_asked", gateway=gateway.name, reason=down.reason)
            answer, step = None, not_asked(charge.state, tries=charge.tries, at=at)
        await self._until_recorded(charge, answer, step)

    async def _until_recorded(self, charge: Charge, answer: Answer | None, step: Step | None = None) -> None:
        """Record an outcome, waiting for a database that is down: money may have moved already."""
        tries = 0
        while True:
            try:
                await self._record(charge, answer, step)
            except Exception as error:
                tries += 1
                if classify(error) is ErrorKind.DEFECT or (self._stopping.is_set() and tries > LAST_TRIES):
                    raise
                log.warning("outcome_not_recorded", charge_id=str(charge.charge_id), error=describe(error))
                await asyncio.sleep(min(0.1 * 2**tries, 5.0))
            else:
                return

    async def _record(self, charge: Charge, answer: Answer | None, step: Step | None) -> None:
        async with self._transactions.begin(_cause(charge)) as tx:
            if step is not None:
                await ChargeStore(tx.connection).move(charge, step, None, tx.at, claim=charge.claimed_by)
            elif answer is not None:
                await take_answer(tx, charge, answer, claim=charge.claimed_by)
        self._tell(charge, answer)

    def _tell(self, charge: Charge, answer: Answer | None) -> None:
        result = answer.result if answer else "nothing"
        self._metrics.asked.labels(charge.gateway, result).inc()
        refused = answer is not None and answer.result is Result.REFUSED_US
        say = log.error if refused else log.info
        say(
            "charge_asked",
            charge_id=str(charge.charge_id),
            correlation_id=str(charge.correlation_id),
            gateway=charge.gateway,
            was=charge.state,
            result=result,
            detail=answer.detail if answer else "",
        )

    async def _keep_house(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.recover()
                async with self._transactions.engine.connect() as connection:
                    if await ChargeStore(connection).anything_due(list(self._gateways), self._clock.now()):
                        self._wake.ring()
            except Exception as error:  # noqa: BLE001 - the database is down: nothing to do until it is back
                log.info("collector_waits_for_database", error=describe(error))
            await self._sleep()

    async def recover(self) -> int:
        """Put in doubt what a worker that died was asking for; returns how many charges that were."""
        async with self._transactions.command("billing.recover_charges") as tx:
            found = await ChargeStore(tx.connection).doubt_abandoned(tx.at)
        if found:
            log.warning("charges_in_doubt", count=found)
        return found

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(self._collecting.poll_seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def _order(charge: Charge) -> ChargeOrder:
    return ChargeOrder(
        charge_id=charge.charge_id,
        account_id=charge.account_id,
        amount_cents=charge.amount_cents,
        currency=charge.currency,
        customer_ref=charge.customer_ref,
        method_ref=charge.method_ref,
        invoice_number=charge.invoice_number,
        first_asked_at=charge.created_at,
    )


def _cause(charge: Charge) -> Envelope:
    """What comes of a charge belongs to the story of the trigger that planned it."""
    return command_envelope("billing.collect_charge", charge.correlation_id)
