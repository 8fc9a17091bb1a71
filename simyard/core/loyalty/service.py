"""Verbs about loyalty."""

from __future__ import annotations

from collections.abc import Collection

from simyard.base.ids import AccountId
from simyard.core.loyalty import rules
from simyard.core.loyalty.model import ListPrices, Loyalty, PriceList, Standing, StandingOf
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import ListOffers
from simyard.core.wallet import service as wallet
from simyard.db.database import Tx


async def standing(tx: Tx, command: StandingOf) -> Standing:
    """The account's tier and what it has spent. Refuses: UNKNOWN_ACCOUNT (without a wallet too)."""
    return await _standing(tx, command.account_id, command.loyalty)


async def list_prices(tx: Tx, command: ListPrices) -> PriceList:
    """What a service costs the account in a country now, and its tier. Prices that have no stock are left out.

    Refuses: UNKNOWN_ACCOUNT (without a wallet too), NO_RATE.
    """
    offers = await pricing.offers_in(
        tx,
        ListOffers(
            command.account_id,
            command.country,
            command.loyalty.base_currency,
            command.now,
            command.service_id,
        ),
    )
    found = await _standing(tx, command.account_id, command.loyalty)
    return PriceList(found, rules.price_stocks(offers))


async def rates(tx: Tx, loyalty: Loyalty, currencies: Collection[str]) -> dict[str, int]:
    """The rates that telling tiers in these currencies needs: none where all spend what tiers are said in."""
    if not rules.needs_rates(loyalty, currencies):
        return {}
    return await pricing.rates(tx, loyalty.base_currency)


async def _standing(tx: Tx, account_id: AccountId, loyalty: Loyalty) -> Standing:
    balance = await wallet.balance(tx, account_id)
    known = await rates(tx, loyalty, [balance.currency])
    return rules.standing(
        loyalty,
        currency=balance.currency,
        available=balance.available,
        spent=balance.spent,
        rates=known,
    )
