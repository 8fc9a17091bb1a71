"""The list of an account's activations: filters, pages, order."""

from __future__ import annotations

import pytest

from simyard.base.ids import AccountId, ActivationId
from simyard.core.activations import service as activations
from simyard.core.activations.model import ActivationPage, HistoryFilter, ListActivations
from tests.world import ACTIVATION_SECONDS, World, code_text


async def listed(
    world: World, account_id: AccountId, only: HistoryFilter | None = None, page: int = 1, per_page: int = 50
) -> ActivationPage:
    async with world.database.transaction() as tx:
        return await activations.list_activations(tx, ListActivations(account_id, only, page, per_page))


def ids(page: ActivationPage) -> list[ActivationId]:
    return [activation.id for activation in page.activations]


async def test_pages_are_newest_first_and_tell_the_total(world: World) -> None:
    await world.stocked(5)
    buyer = await world.add_buyer()
    made = [(await world.order(buyer)).activation_id for _ in range(5)]
    newest_first = made[::-1]
    for page in (1, 2, 3):
        seen = await listed(world, buyer, page=page, per_page=2)
        assert ids(seen) == newest_first[2 * page - 2 : 2 * page]
        assert seen.total == 5
    beyond = await listed(world, buyer, page=4, per_page=2)
    assert (beyond.activations, beyond.total) == ((), 5)


async def test_another_accounts_activations_are_not_listed(world: World) -> None:
    await world.stocked(1)
    mine, other = await world.add_buyers(2)
    await world.order(mine)
    assert await listed(world, other) == ActivationPage((), 0)


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (HistoryFilter.COMPLETED, ["received", "finished", "again"]),
        (HistoryFilter.WAITING, ["waiting"]),
        (HistoryFilter.CANCELED, ["canceled", "expired"]),
        (None, ["waiting", "received", "finished", "again", "canceled", "expired"]),
    ],
)
async def test_filters_tell_what_brought_a_code_from_what_waits_and_what_did_not(
    world: World, only: HistoryFilter | None, expected: list[str]
) -> None:
    supplier, _, _ = await world.stocked(6)
    buyer = await world.add_buyer()
    made: dict[str, ActivationId] = {}

    async def order(name: str, *, code: bool, seconds: int = 2 * ACTIVATION_SECONDS) -> None:
        order = await world.order(buyer, seconds=seconds)
        made[name] = order.activation_id
        if code:
            await world.receive(supplier, order.msisdn, code_text("whatsapp", "123456"))

    await order("expired", code=False, seconds=1)
    await order("canceled", code=False)
    await order("finished", code=True)
    await order("received", code=True)
    await order("again", code=True)
    await order("waiting", code=False)
    await world.cancel(buyer, made["canceled"])
    await world.finish(buyer, made["finished"])
    await world.request_next(buyer, made["again"])
    world.clock.turn(ACTIVATION_SECONDS)
    await world.expire()
    page = await listed(world, buyer, only)
    assert set(ids(page)) == {made[name] for name in expected}
    assert page.total == len(expected)
