"""Races about how a lease ends: an SMS, a cancel and the clock agree on one winner, and the money follows it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TypeAlias

from simyard.base.ids import AccountId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import service as activations
from simyard.core.activations.machine import State
from simyard.core.activations.model import LookAtActivations, Order
from simyard.core.lanes import Lanes
from simyard.core.messages.model import Fate
from simyard.core.wallet import service as wallet
from tests.world import World, code_text, micros

Processes: TypeAlias = tuple[Lanes, Lanes]
SECONDS_MAX = 60
RACES = 2_000
AT_ONCE = 100
SLUGS = [
    "whatsapp", "telegram", "google", "facebook", "instagram", "tiktok", "twitter", "discord", "openai", "microsoft",
    "apple", "amazon", "uber", "tinder", "viber", "wechat", "snapchat", "linkedin", "yahoo", "signal",
]  # fmt: skip


async def test_a_cancel_and_an_sms_have_one_winner(world: World, processes: Processes) -> None:
    supplier, _, _ = await world.stocked(AT_ONCE, services=SLUGS)
    buyers = await world.add_buyers(5, str(RACES))
    choose = random.Random(7)
    winners: Counter[str] = Counter()

    async def cancel(order: Order, buyer: AccountId) -> str:
        try:
            await world.cancel(buyer, order.activation_id)
        except Refusal as refusal:
            assert refusal.reason is Refused.CODE_RECEIVED
            assert refusal.facts["code"] == "123456"
            return "told the code"
        return "canceled"

    async def race(order: Order, buyer: AccountId, slug: str, lanes: Lanes, cancel_first: bool) -> None:
        sms = lanes.receive(world.sms(supplier, order.msisdn, code_text(slug, "123456")))
        if cancel_first:
            canceled, receipt = await asyncio.gather(cancel(order, buyer), sms)
        else:
            receipt, canceled = await asyncio.gather(sms, cancel(order, buyer))
        if canceled == "canceled":
            assert receipt.fate is Fate.NO_LEASE
        else:
            assert receipt.fate is Fate.DELIVERED
            await world.finish(buyer, order.activation_id)
        winners[canceled] += 1

    async with asyncio.timeout(SECONDS_MAX):
        for slug in SLUGS:
            who = [buyers[place % 5] for place in range(AT_ONCE)]
            orders = await asyncio.gather(
                *(
                    processes[place % 2].order(world.order_command(who[place], slug))
                    for place in range(AT_ONCE)
                )
            )
            await asyncio.gather(
                *(
                    race(order, buyer, slug, processes[place % 2], choose.random() < 0.5)
                    for place, (order, buyer) in enumerate(zip(orders, who, strict=True))
                )
            )
    assert winners.total() == RACES
    assert min(winners.values()) > 0 and len(winners) == 2, winners
    spent = sum([micros(str(RACES)) - (await world.balance(buyer)).available for buyer in buyers])
    assert spent == winners["told the code"] * micros("1")
    await world.assert_whole()


async def test_being_done_with_a_number_and_an_sms_agree(world: World, processes: Processes) -> None:
    """Whoever comes first decides whether it was paid; being done is a success either way."""
    supplier, _, _ = await world.stocked(AT_ONCE, services=SLUGS[:10])
    buyer = await world.add_buyer("2000")
    spent = 0
    fates: Counter[Fate] = Counter()
    async with asyncio.timeout(SECONDS_MAX):
        for slug in SLUGS[:10]:
            orders = await asyncio.gather(
                *(processes[place % 2].order(world.order_command(buyer, slug)) for place in range(AT_ONCE))
            )

            async def race(place: int, order: Order, slug: str) -> int:
                lanes = processes[place % 2]
                closed, receipt = await asyncio.gather(
                    world.close(buyer, order.activation_id),
                    lanes.receive(world.sms(supplier, order.msisdn, code_text(slug, "123456"))),
                )
                fates[receipt.fate] += 1
                assert (closed.state is State.FINISHED) == (receipt.fate is Fate.DELIVERED)
                return order.price - closed.refunded

            spent += sum(
                await asyncio.gather(*(race(place, order, slug) for place, order in enumerate(orders)))
            )
    assert set(fates) == {Fate.DELIVERED, Fate.NO_LEASE}, fates
    assert (await world.balance(buyer)).available == micros("2000") - spent
    await world.assert_whole()


async def test_what_is_looked_at_while_everything_moves_is_never_half_done(
    world: World, processes: Processes
) -> None:
    """A view's state, code and messages are of one moment."""
    supplier, _, _ = await world.stocked(20)
    buyer = await world.add_buyer()
    orders = await asyncio.gather(
        *(processes[place % 2].order(world.order_command(buyer)) for place in range(20))
    )
    over = asyncio.Event()
    seen: Counter[State] = Counter()

    async def look(lanes: Lanes) -> None:
        while not over.is_set():
            for view in await lanes.look(LookAtActivations(buyer)):
                codes = [message.code for message in view.messages]
                seen[view.state] += 1
                assert (view.state is State.RECEIVED) == bool(codes)
                assert not codes or view.code == codes[0]
                assert codes == sorted(codes, key=str)

    async def use(place: int, order: Order) -> None:
        choose = random.Random(place)
        for turn in range(12):
            text = code_text("whatsapp", str(100_000 + turn))
            await asyncio.gather(
                processes[turn % 2].receive(world.sms(supplier, order.msisdn, text)),
                *([world.request_next(buyer, order.activation_id)] if turn and choose.random() < 0.7 else []),
            )

    looking = [asyncio.create_task(look(lanes)) for lanes in processes]
    async with asyncio.timeout(SECONDS_MAX):
        await asyncio.gather(*(use(place, order) for place, order in enumerate(orders)))
    over.set()
    await asyncio.gather(*looking)
    assert {State.RECEIVED, State.WAITING_AGAIN} <= set(seen), seen
    await world.assert_whole()


async def test_rings_of_payments_do_not_block_each_other(world: World) -> None:
    ring = await world.add_buyers(8, "100")
    total = 8 * micros("100")

    async def pay(place: int) -> None:
        step = 1 + place % 7
        payer, payee = ring[place % 8], ring[(place + step) % 8]
        async with world.database.transaction() as tx:
            await wallet.pay(tx, payer, payee, micros("1"), reference=f"r{place}", now=world.clock.now())

    async with asyncio.timeout(SECONDS_MAX):
        await asyncio.gather(*map(pay, range(400)))
    assert sum([(await world.balance(one)).available for one in ring]) == total
    assert await world.value("SELECT count(*) FROM transfer WHERE kind = 'payment'") == 400
    await world.assert_whole()


async def test_a_storm_of_everything_keeps_every_promise(world: World, processes: Processes) -> None:
    """Orders, SMS, cancels, finishes, requests for the next, bans, referrals, expiry, reports and counts, all at once."""
    slugs = SLUGS[:6]
    supplier, _, listed = await world.stocked(40, services=slugs)
    buyers = await world.add_buyers(6, "500")
    for place, buyer in enumerate(buyers):
        await world.refer(buyers[(place + 1) % 6], buyer)
    allowed = {
        Refused.NO_NUMBERS,
        Refused.CODE_RECEIVED,
        Refused.LEASE_CLOSED,
        Refused.INSUFFICIENT_FUNDS,
    }
    made: Counter[str] = Counter()
    over = asyncio.Event()

    async def shop(place: int) -> None:
        lanes, buyer = processes[place % 2], buyers[place % 6]
        choose = random.Random(place)
        for turn in range(15):
            slug = choose.choice(slugs)
            try:
                command = world.order_command(buyer, slug, seconds=choose.choice([1, 1200]))
                order = await lanes.order(command)
                made["order"] += 1
                acting = [
                    lanes.receive(world.sms(supplier, order.msisdn, code_text(slug, f"{1000 + turn}"))),
                    world.cancel(buyer, order.activation_id),
                    world.finish(buyer, order.activation_id),
                    world.request_next(buyer, order.activation_id),
                    world.close(buyer, order.activation_id, ban=choose.random() < 0.1),
                    lanes.receive(world.sms(supplier, order.msisdn, code_text(slug, f"{2000 + turn}"))),
                ]
                choose.shuffle(acting)
                for outcome in await asyncio.gather(*acting, return_exceptions=True):
                    if isinstance(outcome, Refusal):
                        assert outcome.reason in allowed, outcome
                    elif isinstance(outcome, BaseException):
                        raise outcome
            except Refusal as refusal:
                assert refusal.reason in allowed, refusal

    async def keep(doing: str) -> None:
        while not over.is_set():
            if doing == "expire":
                world.clock.turn(0.5)
                await world.expire(limit=7)
            elif doing == "report":
                await world.report(supplier, listed[::-1])
            else:
                await world.take_stock()

    keeping = [asyncio.create_task(keep(doing)) for doing in ("expire", "expire", "report", "count")]
    async with asyncio.timeout(SECONDS_MAX):
        await asyncio.gather(*map(shop, range(12)))
    over.set()
    await asyncio.gather(*keeping)
    assert made["order"] >= 100
    await world.assert_whole()
    world.clock.turn(3600)
    while await world.expire():
        pass
    await world.assert_whole()
    assert await world.value("SELECT count(*) FROM activation WHERE is_open") == 0
    assert await world.value("SELECT sum(held) FROM wallet") == 0


async def test_expiry_sms_and_cancel_of_the_same_leases_agree(world: World, processes: Processes) -> None:
    supplier, _, _ = await world.stocked(60, services=SLUGS[:3])
    buyer = await world.add_buyer("1000")
    for slug in SLUGS[:3]:
        orders = await asyncio.gather(
            *(processes[place % 2].order(world.order_command(buyer, slug, seconds=10)) for place in range(60))
        )
        world.clock.turn(10)
        acting = [world.expire(limit=25) for _ in range(6)]
        acting += [world.cancel(buyer, order.activation_id) for order in orders]  # type: ignore[misc]
        acting += [
            processes[place % 2].receive(world.sms(supplier, order.msisdn, code_text(slug, "123456")))  # type: ignore[misc]
            for place, order in enumerate(orders)
        ]
        random.Random(3).shuffle(acting)
        async with asyncio.timeout(SECONDS_MAX):
            for outcome in await asyncio.gather(*acting, return_exceptions=True):
                if isinstance(outcome, BaseException) and not isinstance(outcome, Refusal):
                    raise outcome
        async with world.database.transaction() as tx:
            while await activations.expire(tx, limit=100, now=world.clock.now()):
                pass
        states = dict(await world.rows("SELECT state, count(*) FROM activation GROUP BY 1"))
        assert set(states) <= {State.CANCELED, State.EXPIRED, State.FINISHED}
        await world.assert_whole()
