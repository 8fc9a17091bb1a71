"""A deposit by way of Paystack through the whole application: account, transfer, notification, worker, wallet."""

from __future__ import annotations

import asyncio

import httpx

from simyard.app import build, funding_of
from simyard.core.funding import service
from simyard.core.funding.model import CreateVirtualAccount, ListVirtualAccounts
from simyard.edge.funding import PAYSTACK_PATH
from simyard.settings import Settings
from tests.workers import paystack_server
from tests.workers.paystack_server import SECRET_KEY, sign
from tests.world import World, micros, world

__all__ = ["world"]

SECONDS_MAX = 30


async def test_a_deposit_reaches_the_wallet_once_however_often_it_is_announced(
    world: World, database_url: str
) -> None:
    async with paystack_server.serving() as paystack:
        settings = Settings(
            funding_provider="paystack", paystack_secret_key=SECRET_KEY, paystack_url=paystack.url
        )
        buyer = await world.add_buyer("0", "NGN")
        funding = funding_of(settings, world.database)
        account = await funding.create_virtual_account(CreateVirtualAccount(buyer, "035"))
        app = build(settings, database_url, with_workers=True)
        transport = httpx.ASGITransport(app)

        async def balance() -> int:
            async with world.database.transaction() as tx:
                shown = await service.list_virtual_accounts(tx, ListVirtualAccounts(buyer, "paystack"))
                return shown.balance

        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://simyard.test") as client,
        ):

            async def notify(body: bytes, signature: str) -> int:
                headers = {"x-paystack-signature": signature}
                return (await client.post(PAYSTACK_PATH, content=body, headers=headers)).status_code

            body = paystack.pay("T1", account.account_number, 3_675_000)
            assert await notify(body, sign(body, "guessed")) == 401
            answers = await asyncio.gather(*(notify(body, sign(body)) for _ in range(50)))
            assert answers == [200] * 50
            async with asyncio.timeout(SECONDS_MAX):
                while await balance() == 0:
                    pass
            assert await notify(body, sign(body)) == 200
            metrics = (await client.get("/metrics")).text
            assert 'simyard_deposit_notifications_total{outcome="new",provider="paystack"}' in metrics
        assert await balance() == micros("36750")
        assert await world.value("SELECT count(*) FROM transfer") == 1
        await world.assert_whole()
