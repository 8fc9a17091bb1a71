"""Verbs about prices and offers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import asyncpg

from simyard.base import money
from simyard.base.ids import PoolId, ServiceId
from simyard.base.refusals import Refusal, Refused
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.pricing import rules, store
from simyard.core.pricing.model import ListOffers, ListPrices, ListTariffs, Offer, Price, PricedOffer, Tariff
from simyard.core.wallet import service as wallet
from simyard.db.database import Tx


async def set_price(
    tx: Tx, *, service_id: ServiceId, country: str, amount: int, pool_id: PoolId | None, now: datetime
) -> None:
    """Price a service in a country, for one pool or (no pool) for all that have no price of their own.

    Refuses: UNKNOWN_POOL. Orders made before keep what they were charged.
    """
    try:
        await store.set_price(
            tx, service_id=service_id, country=country, pool_id=pool_id, amount=amount, now=now
        )
    except asyncpg.ForeignKeyViolationError as error:
        raise Refusal(Refused.UNKNOWN_POOL, pool=pool_id) from error


async def unset_price(tx: Tx, *, service_id: ServiceId, country: str, pool_id: PoolId | None) -> bool:
    """Take back what `set_price` set for just this; False when nothing was set. Orders made before keep what they were charged."""
    return await store.unset_price(tx, service_id=service_id, country=country, pool_id=pool_id)


async def list_prices(tx: Tx, command: ListPrices) -> list[Price]:
    """By country, then by service; pools' own before the one for all."""
    return await store.list_prices(tx, command=command)


async def set_rate(tx: Tx, *, currency: str, rate_nanos: int, now: datetime) -> None:
    """Units of a currency for one unit of the base currency, from now on."""
    await store.set_rate(tx, currency=currency, rate_nanos=rate_nanos, now=now)


async def rates(tx: Tx, base_currency: str) -> dict[str, int]:
    """Every rate in billionths; the base currency's is one."""
    return {**await store.rates(tx), base_currency: money.NANOS}


async def offers_for(tx: Tx, wanted: Collection[tuple[ServiceId, str]], now: datetime) -> list[Offer]:
    """What can be sold now of each (service, country), cheapest first."""
    return await store.offers_for(tx, wanted=wanted, now=now)


async def offers_in(tx: Tx, command: ListOffers) -> list[PricedOffer]:
    """Everything on offer to an account in a country, cheapest first within a service.

    Refuses: UNKNOWN_ACCOUNT, NO_RATE.
    """
    currency = (await wallet.balance(tx, command.account_id)).currency
    known = await rates(tx, command.base_currency)
    offers = await store.offers_in(
        tx,
        country=command.country,
        service_id=command.service_id,
        account_id=command.account_id,
        now=command.now,
    )
    return [PricedOffer(offer, rules.charged(offer.amount, currency, known)) for offer in offers]


async def list_tariffs(tx: Tx, command: ListTariffs) -> list[Tariff]:
    """What a fresh order without a pool would be charged, by country, then by service; with the stock of all pools.

    A tariff with no stock has the price of the pool it would come from. Services an account may not use are left out.
    Refuses: UNKNOWN_ACCOUNT, NO_RATE.
    """
    currency = command.currency or command.base_currency
    if command.currency is None and command.account_id is not None:
        currency = (await wallet.balance(tx, command.account_id)).currency
    known = await rates(tx, command.base_currency)
    if currency not in known:
        raise Refusal(Refused.NO_RATE, currency=currency)
    catalog = load_catalog()
    countries, services = command.countries, command.services
    if countries is None:
        countries = tuple(country.iso2 for country in catalog.countries)
    if services is None:
        services = tuple(service.id for service in catalog.services)
    tariffs = await store.tariffs(
        tx, account_id=command.account_id, countries=countries, service_ids=services, now=command.now
    )
    # Many tariffs share few amounts.
    prices = {amount: rules.charged(amount, currency, known) for amount in {row[2] for row in tariffs}}
    return [
        Tariff(service_id, country, prices[amount], currency, stock)
        for service_id, country, amount, stock in tariffs
    ]


async def offered_countries(tx: Tx, now: datetime) -> list[str]:
    """ISO codes of the countries where something can be bought now."""
    return await store.offered_countries(tx, now=now)
