"""Checks of numbers: proved by what comes in, free again whatever happens, nobody else's meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simyard.base.refusals import Refusal, Refused
from simyard.core.checks import rules
from simyard.core.checks import service as checks
from simyard.core.checks.model import CheckState
from simyard.core.messages.model import Fate
from tests.world import World, code_text


async def refused(world: World, msisdn: str) -> Refused:
    with pytest.raises(Refusal) as caught:
        await world.check_number(msisdn)
    return caught.value.reason


async def proof(world: World, msisdn: str) -> tuple[object, ...]:
    (row,) = await world.rows("SELECT proved_at, proved_for FROM number WHERE msisdn = $1", msisdn)
    return row


async def test_a_number_is_proved_by_the_challenge(world: World) -> None:
    supplier, pool, (msisdn,) = await world.stocked(1)
    check = await world.check_number(msisdn)
    assert (check.state, check.msisdn, check.pool_id) == (CheckState.WAITING, msisdn, pool.id)
    world.clock.turn(60)
    assert (await world.receive(supplier, msisdn, code_text("whatsapp", "123456"))).fate is Fate.NO_LEASE
    assert await world.end_checks() == 0
    answer = f"fyi: {check.challenge.lower().replace('-', ' ')}"
    assert (await world.receive(supplier, msisdn, answer)).fate is Fate.CHECKED
    proved_at = world.clock.now()
    world.clock.turn(5)
    assert await world.end_checks() == 1
    assert await proof(world, msisdn) == (proved_at, pool.id)
    assert (await world.receive(supplier, msisdn, answer)).fate is Fate.NO_LEASE
    assert await world.rows("SELECT FROM message") == []
    actions = await world.rows("SELECT action FROM audit WHERE action LIKE 'number.%' ORDER BY id")
    assert actions == [("number.check_started",), ("number.check_proved",)]
    await world.order(await world.add_buyer("10"))
    await world.assert_whole()


async def test_nobody_gets_a_number_that_is_being_checked(world: World) -> None:
    _, pool, (msisdn,) = await world.stocked(1)
    buyer = await world.add_buyer("10")
    await world.take_stock()
    await world.check_number(msisdn)
    await world.take_stock()
    assert await world.stock("whatsapp", pool) == 0
    with pytest.raises(Refusal) as caught:
        await world.order(buyer)
    assert caught.value.reason is Refused.NO_NUMBERS
    await world.assert_whole()
    world.clock.turn(1800)
    assert await world.end_checks() == 1
    assert await world.end_checks() == 0
    assert await proof(world, msisdn) == (None, None)
    await world.take_stock()
    assert await world.stock("whatsapp", pool) == 1
    async with world.database.transaction() as tx:
        (check,) = await checks.checks(tx, msisdn)
    assert (check.state, check.closed_at) == (CheckState.EXPIRED, world.clock.now())
    await world.assert_whole()


async def test_what_is_in_use_or_on_no_list_is_not_checked(world: World) -> None:
    supplier, _, (leased, checked, gone) = await world.stocked(3)
    buyer = await world.add_buyer("10")
    order = await world.order(buyer)
    assert order.msisdn == leased
    await world.check_number(checked)
    await world.report(supplier, [leased, checked])
    assert await refused(world, leased) is Refused.NUMBER_IN_USE
    assert await refused(world, checked) is Refused.NUMBER_IN_USE
    assert await refused(world, gone) is Refused.UNKNOWN_NUMBER
    assert await refused(world, "+441234567890") is Refused.UNKNOWN_NUMBER
    await world.assert_whole()


async def test_another_supplier_cannot_prove_it(world: World) -> None:
    _, _, (msisdn,) = await world.stocked(1)
    stranger, _, _ = await world.stocked(1)
    check = await world.check_number(msisdn)
    with pytest.raises(Refusal) as caught:
        await world.receive(stranger, msisdn, check.challenge)
    assert caught.value.reason is Refused.UNKNOWN_NUMBER


async def test_an_answer_at_the_last_moment_counts_or_does_not_but_the_number_is_free(world: World) -> None:
    supplier, _, listed = await world.stocked(8)
    started = [await world.check_number(msisdn) for msisdn in listed]
    world.clock.turn(1800)
    await asyncio.gather(
        *(world.receive(supplier, one.msisdn, one.challenge) for one in started),
        *(world.end_checks() for _ in range(4)),
    )
    await world.end_checks()
    assert await world.value("SELECT count(*) FROM number WHERE lease_id IS NOT NULL") == 0
    assert await world.value("SELECT count(*) FROM number_check WHERE closed_at IS NULL") == 0
    rows = await world.rows(
        """SELECT number_check.state = 'proved', number.proved_at IS NOT NULL
             FROM number_check JOIN number ON number.id = number_check.number_id"""
    )
    assert all(proved == noted for proved, noted in rows)
    await world.assert_whole()


@given(st.text(max_size=200))
def test_no_text_answers_by_chance(text: str) -> None:
    assert not rules.answers(text, rules.new_challenge())


@given(before=st.text(max_size=30), after=st.text(max_size=30))
def test_a_challenge_is_found_in_any_text(before: str, after: str) -> None:
    challenge = rules.new_challenge()
    assert rules.answers(f"{before} {challenge} {after}", challenge)
