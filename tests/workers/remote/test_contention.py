"""Two processes order of hosts that do everything wrong at once; in the end nobody has anything that is not his."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.lanes import Lanes
from simyard.core.remote.model import RemoteNumber, RemoteWish
from simyard.db.database import Database
from simyard.workers.remote.source import Reason, SourceFailed, SourceRefused
from tests.workers.remote.conftest import RemoteWorld
from tests.workers.remote.host import Host, offer
from tests.world import code_text, micros

ORDERS = 240
SEED = 11


class _Wild(Host):
    """Answers soon or late, refuses, fails before or after it reserved a number, hands out what was not asked for."""

    choose = random.Random(SEED)

    def take(self, wish: RemoteWish) -> RemoteNumber:
        what = self.choose.random()
        if what < 0.1:
            raise SourceRefused(Reason.NO_NUMBERS)
        if what < 0.15:
            raise SourceFailed("not connected", ambiguous=False)
        if what < 0.2:
            self.numbers.insert(0, f"+4670{self.choose.randrange(10**7):07d}")
        elif what < 0.25 and self.reserved:
            # Somebody has it.
            self.numbers.insert(0, self.choose.choice(list(self.reserved.values()))[0].msisdn)
        number = super().take(wish)
        if what > 0.9:
            raise SourceFailed("cut off", ambiguous=True)
        return number


async def test_nobody_has_anything_that_is_not_his(
    far: RemoteWorld, database: Database, database_url: str
) -> None:
    world = far.world
    choose = random.Random(SEED)

    async def answer() -> None:
        await asyncio.sleep(2.5 if choose.random() < 0.02 else choose.random() / 50)

    hosts = [
        _Wild(numbers=world.msisdns(ORDERS), before=answer, after=answer, offers=(offer(ORDERS),))
        for _ in range(4)
    ]
    suppliers: dict[int, AccountId | None] = {}
    for place, host in enumerate(hosts):
        pool, _, suppliers[place] = await far.add_pool(host, price=f"{place + 1}")
        # Told apart by what they sell for: no two prices are the same.
        assert pool is not None
    buyers = await world.add_buyers(4, "1000")
    async with await Database.connect(database_url, connections_max=8) as another:
        lanes = Lanes(another, another, slots=2, batch_max=64, queue_max=4096)
        second = RemoteWorld(world, lanes)
        processes = (far, second)
        for one in processes:
            one.give_up_after(2.0)
        outcomes: Counter[str] = Counter()

        async def one_order(place: int) -> None:
            buyer = buyers[place % len(buyers)]
            process = processes[place % 2]
            # Every third comes twice under one key, to both processes.
            key = f"key {place}" if place % 3 == 0 else None
            try:
                if key is not None:
                    order, again = await asyncio.gather(
                        process.order(buyer, key=key), processes[1 - place % 2].order(buyer, key=key)
                    )
                    assert order == again
                else:
                    order = await process.order(buyer)
            except Refusal as refusal:
                assert refusal.reason in (Refused.NO_NUMBERS, Refused.UPSTREAM_FAILED, Refused.BUSY), refusal
                outcomes[refusal.reason] += 1
                return
            supplier = suppliers[order.price // micros("1") - 1]
            what = choose.random()
            if what < 0.4:
                await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))
                await world.finish(buyer, order.activation_id)
                outcomes["sold"] += 1
            elif what < 0.8:
                await world.cancel(buyer, order.activation_id)
                outcomes["canceled"] += 1
            else:
                outcomes["left open"] += 1

        async def some(first: int) -> None:
            for place in range(first, ORDERS, 12):
                await one_order(place)
                await far.leases.begin_due()
                # As a new report would.
                await world.rows("UPDATE remote_offer SET stock = 100 WHERE stock = 0 RETURNING 1")

        async with asyncio.timeout(120):
            await asyncio.gather(*(some(first) for first in range(12)))
        await second.close()
        await far.close()
        await lanes.close()
    await world.assert_whole()
    for seconds in (15, 75, 600, 600, 1201):
        world.clock.turn(seconds)
        await world.expire()
        await far.leases.settle()
    await world.assert_whole()
    print(dict(outcomes))
    assert min(outcomes["sold"], outcomes["canceled"], outcomes["left open"]) > 0, outcomes
    assert [host.reserved for host in hosts] == [{}] * len(hosts)
    assert await world.value("SELECT count(*) FROM activation WHERE is_open") == 0
    assert await world.value("SELECT count(*) FROM number WHERE lease_id IS NOT NULL") == 0
    assert await world.value("SELECT count(*) FROM remote_lease WHERE state <> 'done'") == 0
    sold = await world.value("SELECT count(*) FROM activation WHERE messages > 0")
    told = [ending for host in hosts for ending in host.endings() if ending == "sold"]
    assert sold == outcomes["sold"] == len(told)
    assert await world.value("SELECT count(*) FROM idempotency WHERE outcome IS NULL") == 0
    assert await world.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
