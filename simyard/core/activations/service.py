"""Verbs about activations. `order` and `check` take batches; the others one command."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from simyard.base.ids import AccountId, ActivationId, LeaseId, PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.activations import machine, rules, store
from simyard.core.activations.machine import Event, MoneyMove, State
from simyard.core.activations.model import (
    Activation,
    ActivationPage,
    ActivationView,
    ActOnActivation,
    AskingActivation,
    CheckActivation,
    CloseActivation,
    Closed,
    ListActivations,
    LockedActivation,
    LookAtActivations,
    Order,
    OrderNumber,
)
from simyard.core.activations.store import NewActivation, SandboxTarget
from simyard.core.audit import service as audit
from simyard.core.catalog import service as catalog
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.idempotency import service as idempotency
from simyard.core.idempotency.model import Key, Keyed
from simyard.core.numbers import service as numbers
from simyard.core.numbers.model import ClaimedNumber, Want
from simyard.core.pools.model import PoolKind
from simyard.core.pricing import rules as pricing_rules
from simyard.core.pricing import service as pricing
from simyard.core.pricing.model import Offer, Quote
from simyard.core.remote import rules as remote_rules
from simyard.core.remote import service as remote
from simyard.core.remote.model import Choice, Ending, RemoteWant, RemoteWish, Returned
from simyard.core.sandbox import service as sandbox
from simyard.core.wallet import service as wallet
from simyard.core.wallet.model import Wallet
from simyard.db.database import Tx

BANS_MAX = 1_000
"""Of the numbers an account banned in a country, how many of the newest are kept from it."""

_ERASED = "erased"

_outcome_encoder = msgspec.msgpack.Encoder()
_outcome_decoder = msgspec.msgpack.Decoder(Order)


# Ordering


@dataclass(slots=True)
class _Bid:
    """An order on its way through a batch: the offers it may still take, and what came of it."""

    command: OrderNumber
    buyer: Wallet
    offers: list[tuple[Offer, Quote]]
    excluded: tuple[str, ...]
    unaffordable: bool = False
    result: Order | AskingActivation | Refusal | None = None


async def order(tx: Tx, commands: Sequence[OrderNumber]) -> list[Order | AskingActivation | Refusal]:
    """Lease one free number for each command and hold its price.

    Refuses, first match wins: IDEMPOTENCY_KEY_REUSED (with another order), SERVICE_PROHIBITED, NOT_PRICED (nobody
    has a price for it there), NO_RATE, PRICE_CHANGED (no offer costs just that), PRICE_TOO_HIGH, INSUFFICIENT_FUNDS,
    NO_NUMBERS. With several pools the cheapest that has numbers wins. What an account banned it is not given (the newest
    1,000 of a country). An account without a wallet has no funds. When the cheapest is a pool that must be asked for a number,
    the price is held and the outcome is `AskingActivation`: whoever asked for that (`remote`) carries it on
    (`core/remote/saga.py`); until then a twin under its key is refused as BUSY. A repeat under an idempotency key returns the first
    outcome and moves nothing; a refused order leaves its key free. Locks: keys, wallets by account id; numbers are passed
    over when locked.
    """
    now = max(command.now for command in commands)
    results: list[Order | AskingActivation | Refusal | None] = [None] * len(commands)
    settled = await idempotency.settle(tx, _keyed(commands), now=now)
    for index, answer in settled.answers.items():
        results[index] = answer if isinstance(answer, Refusal) else _outcome_decoder.decode(answer)
    fresh = [index for index, result in enumerate(results) if result is None and index not in settled.twins]
    if fresh:
        wallets = await wallet.lock_open(tx, {commands[index].account_id for index in fresh})
        payable = [index for index in fresh if commands[index].account_id in wallets]
        for index in fresh:
            results[index] = Refusal(Refused.INSUFFICIENT_FUNDS)
        if payable:
            outcomes = await _order_fresh(tx, [commands[index] for index in payable], wallets, now)
            for index, outcome in zip(payable, outcomes, strict=True):
                results[index] = outcome
        await _record_keys(tx, settled.first_of, results)
    for index, first in settled.twins.items():
        one = results[first]
        results[index] = Refusal(Refused.BUSY, twin=True) if isinstance(one, AskingActivation) else one
    return [result if result is not None else Refusal(Refused.INTERNAL) for result in results]


def _keyed(commands: Sequence[OrderNumber]) -> dict[int, Keyed]:
    return {
        place: Keyed((command.account_id, command.idempotency_key), rules.fingerprint(command))
        for place, command in enumerate(commands)
        if command.idempotency_key is not None
    }


async def _record_keys(
    tx: Tx, first_of: Mapping[Key, int], results: Sequence[Order | AskingActivation | Refusal | None]
) -> None:
    done: dict[Key, tuple[LeaseId, bytes | None]] = {}
    refused: list[Key] = []
    for key, index in first_of.items():
        result = results[index]
        if isinstance(result, Order):
            done[key] = (result.activation_id, encode_outcome(result))
        elif isinstance(result, AskingActivation):
            done[key] = (result.lease_id, None)
        else:
            refused.append(key)
    await idempotency.record(tx, done, refused=refused)


def encode_outcome(order: Order) -> bytes:
    """An order as it is kept under its idempotency key."""
    return _outcome_encoder.encode(order)


async def _order_fresh(
    tx: Tx, commands: Sequence[OrderNumber], wallets: dict[AccountId, Wallet], now: datetime
) -> list[Order | AskingActivation | Refusal]:
    offers = await pricing.offers_for(tx, {(one.service_id, one.country) for one in commands}, now)
    suppliers = {offer.supplier_id for offer in offers if offer.supplier_id is not None}
    currencies = await wallet.currencies(tx, suppliers) if suppliers else {}
    foreign = {one.currency for one in wallets.values()} | set(currencies.values())
    base = commands[0].base_currency
    rates = await pricing.rates(tx, base) if foreign != {base} else {base: pricing_rules.ONE}
    permitted = await _permissions(tx, commands)
    banned = await store.banned(
        tx, asking={(command.account_id, command.country) for command in commands}, limit=BANS_MAX
    )
    bids = []
    for command in commands:
        bans = banned.get((command.account_id, command.country), ())
        bid = _Bid(command, wallets[command.account_id], [], command.excluded + bans)
        try:
            bid.offers = _affordable_offers(bid, offers, currencies, rates, permitted)
        except Refusal as refusal:
            bid.result = refusal
        bids.append(bid)
    await _record_prohibited(tx, bids, now)
    await _claim(tx, bids, now)
    return [bid.result if bid.result is not None else _short(bid) for bid in bids]


async def _permissions(tx: Tx, commands: Sequence[OrderNumber]) -> set[tuple[int, int]]:
    known = load_catalog()
    asking = {one.account_id for one in commands if known.service_at(one.service_id).prohibited}
    return {*await catalog.permissions(tx, asking)} if asking else set()


async def _record_prohibited(tx: Tx, bids: Sequence[_Bid], now: datetime) -> None:
    for bid in bids:
        if isinstance(bid.result, Refusal) and bid.result.reason is Refused.SERVICE_PROHIBITED:
            command = bid.command
            await audit.record(
                tx,
                actor=f"account:{command.account_id}",
                action="order.prohibited",
                facts={
                    "service": load_catalog().service_at(command.service_id).slug,
                    "country": command.country,
                },
                now=now,
            )


def _affordable_offers(
    bid: _Bid,
    offers: Sequence[Offer],
    currencies: dict[AccountId, str],
    rates: dict[str, int],
    permitted: Collection[tuple[int, int]],
) -> list[tuple[Offer, Quote]]:
    """The offers an order may take, those with stock first, poor ones after the others, then by price."""
    command = bid.command
    prohibited = load_catalog().service_at(command.service_id).prohibited
    if prohibited and (command.account_id, command.service_id) not in permitted:
        raise Refusal(Refused.SERVICE_PROHIBITED)
    mine = [
        offer
        for offer in offers
        if offer.service_id == command.service_id
        and offer.country == command.country
        and not (command.common_only and offer.reserved_for is not None)
    ]
    if not mine:
        raise Refusal(Refused.NOT_PRICED)
    mine = [offer for offer in mine if command.pool_id in (None, offer.pool_id)]
    if not mine:
        raise Refusal(Refused.NO_NUMBERS)
    quoted = _quotes(mine, bid.buyer.currency, currencies, rates)
    exact = [one for one in quoted if command.price_exact in (None, one[1].price)]
    if not exact:
        raise Refusal(Refused.PRICE_CHANGED)
    within = [one for one in exact if command.price_max is None or one[1].price <= command.price_max]
    if not within:
        raise Refusal(Refused.PRICE_TOO_HIGH)
    bid.unaffordable = all(quote.price > bid.buyer.available for _, quote in within)
    # A pool that is offline has no numbers, whatever its stock.
    within = [one for one in within if one[0].online and _may_be_asked(one[0], command)]
    # Stock lags, so a pool that shows none is still asked, after those that show some; a poor one after better ones.
    return sorted(within, key=lambda one: (one[0].stock == 0, one[0].poor, one[1].price, one[0].pool_id))


def _may_be_asked(offer: Offer, command: OrderNumber) -> bool:
    """AskingActivation another host for a number it says it has not is a call for nothing."""
    return offer.kind not in remote.KINDS or (
        command.remote and offer.stock > 0 and offer.pool_id not in command.avoided
    )


def _quotes(
    offers: Sequence[Offer], currency: str, currencies: Mapping[AccountId, str], rates: Mapping[str, int]
) -> list[tuple[Offer, Quote]]:
    """What each offer costs in a currency. An offer whose supplier cannot be paid, for want of a rate, is none.

    Refuses: NO_RATE when that leaves nothing.
    """
    quotes = []
    for offer in offers:
        earning_currency = currency if offer.supplier_id is None else currencies.get(offer.supplier_id)
        if earning_currency is not None:
            with suppress(Refusal):
                quotes.append((offer, pricing_rules.quote(offer, currency, earning_currency, rates)))
    if not quotes:
        raise Refusal(Refused.NO_RATE, currency=currency)
    return quotes


@dataclass(slots=True)
class _Group:
    """Bids of one batch that want the same kind of number, in the order they came."""

    want: Want
    takers: list[tuple[_Bid, Offer, Quote]]


async def _claim(tx: Tx, bids: Sequence[_Bid], now: datetime) -> None:
    """Let bids take numbers from their offers, cheapest first, until each has one or has nowhere left to look."""
    spent: dict[AccountId, int] = defaultdict(int)
    leased: list[tuple[_Bid, NewActivation]] = []
    asking: dict[LeaseId, tuple[PoolId, RemoteWish]] = {}
    while waiting := [bid for bid in bids if bid.result is None and bid.offers]:
        groups, askers = _group(waiting, spent)
        if groups:
            await numbers.claim(tx, [group.want for group in groups])
        for group in groups:
            for bid, _, _ in group.takers[len(group.want.claimed) :]:
                bid.offers.pop(0)
            for (bid, offer, quote), number in zip(group.takers, group.want.claimed, strict=False):
                spent[bid.buyer.account_id] += quote.price
                leased.append((bid, _lease(bid, offer, quote, number, spent[bid.buyer.account_id])))
        for bid, offer, quote, choice, lease_id in await _choose(tx, askers, now):
            spent[bid.buyer.account_id] += quote.price
            leased.append(
                (bid, _ask(bid, offer, quote, choice, lease_id, spent[bid.buyer.account_id], asking))
            )
    if leased:
        await _record(tx, leased, now)
    if asking:
        await remote.begin(tx, asking, now=now)


def _group(
    waiting: Sequence[_Bid], spent: Mapping[AccountId, int]
) -> tuple[list[_Group], list[tuple[_Bid, Offer, Quote]]]:
    """Which number each waiting bid asks for next, as far as its wallet can pay for it; and those that ask a remote pool."""
    groups: dict[tuple[object, ...], _Group] = {}
    askers: list[tuple[_Bid, Offer, Quote]] = []
    promised = dict(spent)
    for bid in waiting:
        command, (offer, quote) = bid.command, bid.offers[0]
        account_id = bid.buyer.account_id
        committed = promised.get(account_id, 0)
        if bid.buyer.available - committed < quote.price:
            # Another order of the account may fail to get a number and leave the money free: then this one goes on.
            if committed == spent.get(account_id, 0):
                bid.unaffordable = True
                bid.offers.pop(0)
            continue
        promised[account_id] = committed + quote.price
        if offer.kind in remote.KINDS:
            askers.append((bid, offer, quote))
            continue
        kind = (offer.pool_id, command.country, command.operator_id, command.service_id, bid.excluded)
        group = groups.setdefault(kind, _Group(Want(*kind, offer.kind == PoolKind.SANDBOX, 0), []))
        group.want.count += 1
        group.takers.append((bid, offer, quote))
    return list(groups.values()), askers


async def _choose(
    tx: Tx, askers: Sequence[tuple[_Bid, Offer, Quote]], now: datetime
) -> list[tuple[_Bid, Offer, Quote, Choice, ActivationId]]:
    """Those that may ask the remote pool they want; the others go on to their next offer."""
    if not askers:
        return []
    wants = [
        RemoteWant(
            offer.pool_id,
            offer.country,
            offer.service_id,
            bid.command.operator_id,
            pricing_rules.cost_max(offer),
        )
        for bid, offer, _ in askers
    ]
    choices = await remote.choose(tx, wants, now=now)
    lease_ids = iter(await remote.next_lease_ids(tx, len(askers)))
    chosen = []
    for (bid, offer, quote), choice in zip(askers, choices, strict=True):
        if choice is None:
            bid.offers.pop(0)
        else:
            chosen.append((bid, offer, quote, choice, ActivationId(next(lease_ids))))
    return chosen


def _ask(
    bid: _Bid,
    offer: Offer,
    quote: Quote,
    choice: Choice,
    lease_id: ActivationId,
    spent: int,
    asking: dict[LeaseId, tuple[PoolId, RemoteWish]],
) -> NewActivation:
    command = bid.command
    expires_at = command.now + timedelta(seconds=command.seconds)
    wish = RemoteWish(
        country=command.country,
        country_name=choice.country_name,
        service_id=command.service_id,
        service_name=choice.service_name,
        operator_id=command.operator_id,
        operator_name=choice.operator_name,
        amount=quote.earning,
        currency=quote.earning_currency,
        price_max=pricing_rules.cost_max(offer) if offer.kind == PoolKind.UPSTREAM else None,
        excluded=bid.excluded,
        reference=remote_rules.new_reference(lease_id),
    )
    asking[lease_id] = (offer.pool_id, wish)
    bid.result = AskingActivation(
        lease_id=lease_id,
        pool_id=offer.pool_id,
        wish=wish,
        service_id=command.service_id,
        service_label=command.service_label,
        country_label=command.country_label,
        price=quote.price,
        currency=quote.currency,
        available=bid.buyer.available - spent,
        ordered_at=command.now,
        expires_at=expires_at,
        others=len(bid.offers) > 1,
        idempotency_key=command.idempotency_key,
    )
    return NewActivation(
        id=lease_id,
        account_id=command.account_id,
        pool_id=offer.pool_id,
        number_id=None,
        msisdn=None,
        country=command.country,
        service_id=command.service_id,
        service_label=command.service_label,
        country_label=command.country_label,
        repeatable=False,
        quote=quote,
        supplier_id=offer.supplier_id,
        ordered_at=command.now,
        expires_at=expires_at,
    )


def _lease(bid: _Bid, offer: Offer, quote: Quote, number: ClaimedNumber, spent: int) -> NewActivation:
    command = bid.command
    expires_at = command.now + timedelta(seconds=command.seconds)
    bid.result = Order(
        activation_id=number.lease_id,
        msisdn=number.msisdn,
        service_label=command.service_label,
        country_label=command.country_label,
        price=quote.price,
        currency=quote.currency,
        available=bid.buyer.available - spent,
        ordered_at=command.now,
        expires_at=expires_at,
    )
    return NewActivation(
        id=number.lease_id,
        account_id=command.account_id,
        pool_id=offer.pool_id,
        number_id=number.id,
        msisdn=number.msisdn,
        country=command.country,
        service_id=command.service_id,
        service_label=command.service_label,
        country_label=command.country_label,
        repeatable=offer.kind == PoolKind.SANDBOX,
        quote=quote,
        supplier_id=offer.supplier_id,
        ordered_at=command.now,
        expires_at=expires_at,
    )


async def _record(tx: Tx, leased: Sequence[tuple[_Bid, NewActivation]], now: datetime) -> None:
    """Write the new activations and hold their prices."""
    await store.insert_activations(tx, rows=[row for _, row in leased])
    due = [
        (row.id, now + timedelta(seconds=bid.command.sandbox_seconds))
        for bid, row in leased
        if row.repeatable
    ]
    await sandbox.plan_messages(tx, due)
    holds = [rules.hold(row.id, row.quote, bid.buyer) for bid, row in leased if row.quote.price]
    await wallet.post(tx, holds, {bid.buyer.account_id: bid.buyer for bid, _ in leased}, now=now)


def _short(bid: _Bid) -> Refusal:
    return Refusal(Refused.INSUFFICIENT_FUNDS if bid.unaffordable else Refused.NO_NUMBERS)


# Looking


async def check(tx: Tx, commands: Sequence[CheckActivation]) -> list[Activation | Refusal]:
    """Where each activation stands. Refuses: UNKNOWN_LEASE, also for another account's."""
    found = await store.check(tx, commands=commands)
    return [found.get(index) or Refusal(Refused.UNKNOWN_LEASE) for index in range(len(commands))]


async def look(tx: Tx, commands: Sequence[LookAtActivations]) -> list[tuple[ActivationView, ...] | Refusal]:
    """What each account asks to see: one of its activations, or all that are open, oldest first (1,000 at most).

    Refuses: UNKNOWN_LEASE, also for another account's. One statement.
    """
    found = await store.look(tx, commands=commands)
    return [
        Refusal(Refused.UNKNOWN_LEASE)
        if command.activation_id is not None and index not in found
        else tuple(found.get(index, ()))
        for index, command in enumerate(commands)
    ]


async def list_activations(tx: Tx, command: ListActivations) -> ActivationPage:
    """A page of the account's activations, newest first."""
    offset = (command.page - 1) * command.per_page
    activations = await store.history(
        tx, account_id=command.account_id, only=command.only, limit=command.per_page, offset=offset
    )
    total = await store.history_count(tx, account_id=command.account_id, only=command.only)
    return ActivationPage(tuple(activations), total)


# Closing


async def cancel(tx: Tx, command: ActOnActivation) -> Closed:
    """Give the number back and release the held price.

    Refuses, first match wins: UNKNOWN_LEASE; CODE_RECEIVED (with the code); LEASE_CLOSED (with what was given back
    when it closed: a repeat moves nothing); TOO_EARLY (`seconds` left). Locks: number, activation, wallet.
    """
    activation = await _lock(tx, command)
    buyers = await wallet.lock(tx, [command.account_id])
    buyer = buyers[command.account_id]
    refusal = rules.judge_cancel(activation, command, buyer.available)
    if refusal is not None:
        raise refusal
    return await _close(tx, activation, Event.CANCELED, buyer, command.now)


async def finish(tx: Tx, command: ActOnActivation) -> Closed:
    """Close an activation whose code the buyer has read.

    Refuses, first match wins: UNKNOWN_LEASE, LEASE_CLOSED (also while no message has come: that is a cancel).
    """
    activation = await _lock(tx, command)
    buyer = (await wallet.lock(tx, [command.account_id]))[command.account_id]
    if machine.step(activation.state, Event.FINISHED) is None:
        raise Refusal(Refused.LEASE_CLOSED, activation_id=activation.id, state=activation.state)
    return await _close(tx, activation, Event.FINISHED, buyer, command.now)


async def close(tx: Tx, command: CloseActivation) -> Closed:
    """Be done with an activation: cancel it when nothing came for it, else finish it. With `ban`, its number is never
    given to the account again.

    Refuses, first match wins: UNKNOWN_LEASE; TOO_EARLY (`seconds` left) while nothing came: then nothing is banned either.
    A repeat, or one that closed by itself, is a success that moves no money and tells what closing gave back; `ban` holds
    then too. Locks: number, activation, wallet.
    """
    activation = await _lock(tx, command)
    buyer = (await wallet.lock(tx, [command.account_id]))[command.account_id]
    event = rules.judge_close(activation, command)
    if command.ban and activation.number_id is not None:
        await store.ban(
            tx, account_id=command.account_id, activation_id=command.activation_id, now=command.now
        )
    if event is None:
        refunded = rules.refunded(activation)
        return Closed(activation.id, activation.state, refunded, activation.currency, buyer.available)
    return await _close(tx, activation, event, buyer, command.now)


async def request_next(tx: Tx, command: ActOnActivation) -> None:
    """Dismiss the active message: the one that came after it is active now, or the next one is awaited.

    Refuses, first match wins: UNKNOWN_LEASE, LEASE_CLOSED (also before the first message). While the next one is awaited
    a repeat is a success and changes nothing. Locks: number, activation.
    """
    activation = await _lock(tx, command)
    if activation.state is State.WAITING_AGAIN:
        return
    if machine.step(activation.state, Event.NEXT_REQUESTED) is None:
        raise Refusal(Refused.LEASE_CLOSED, activation_id=activation.id, state=activation.state)
    queued = await store.dismiss(tx, activation_id=activation.id)
    step = machine.TABLE[activation.state, Event.NEXT_WAS_QUEUED if queued else Event.NEXT_REQUESTED]
    if queued:
        await store.show_next(tx, activation_id=activation.id)
    await store.move(tx, steps=[(activation.id, activation.state, step.to)], closes=[False], now=command.now)
    if activation.remote and not queued:
        await remote.request_next(tx, activation.id, now=command.now)


async def _lock(tx: Tx, command: ActOnActivation | CloseActivation) -> LockedActivation:
    """The number first, then the activation: the order every verb that closes leases keeps."""
    known, number_id = await store.number_of(
        tx, account_id=command.account_id, activation_id=command.activation_id
    )
    if not known:
        raise Refusal(Refused.UNKNOWN_LEASE)
    if number_id is not None:
        await numbers.lock(tx, [number_id])
    locked = await store.lock_activations(tx, activation_ids=[command.activation_id])
    return locked[command.activation_id]


async def _close(tx: Tx, activation: LockedActivation, event: Event, buyer: Wallet, now: datetime) -> Closed:
    step = machine.TABLE[activation.state, event]
    await _close_all(tx, [(activation, step)], {buyer.account_id: buyer}, now)
    refunded = activation.price if step.money is MoneyMove.RELEASE else 0
    return Closed(activation.id, step.to, refunded, activation.currency, buyer.available)


async def _close_all(
    tx: Tx,
    closing: Sequence[tuple[LockedActivation, machine.Step]],
    buyers: dict[AccountId, Wallet],
    now: datetime,
) -> None:
    await store.move(
        tx,
        steps=[(activation.id, activation.state, step.to) for activation, step in closing],
        closes=[True] * len(closing),
        now=now,
    )
    await numbers.release(
        tx, [activation.number_id for activation, _ in closing if activation.number_id is not None]
    )
    moves = [
        transfer
        for activation, step in closing
        for transfer in rules.transfers(activation, step.money, buyers[activation.account_id], None, {})
    ]
    await wallet.post(tx, moves, buyers, now=now)
    await remote.end(
        tx,
        [
            Returned(activation.id, Ending.SOLD if activation.messages else Ending.CANCELED)
            for activation, _ in closing
            if activation.remote
        ],
        now=now,
    )


async def expire(tx: Tx, *, limit: int, now: datetime) -> int:
    """Close activations whose time has run out; returns how many were due. Those another transaction closed are left."""
    due = await store.due(tx, now=now, limit=limit)
    if not due:
        return 0
    await numbers.lock(tx, [number_id for _, number_id in due if number_id is not None])
    locked = await store.lock_activations(tx, activation_ids=[activation_id for activation_id, _ in due])
    closing = [
        (activation, step)
        for activation in locked.values()
        if (step := machine.step(activation.state, Event.TIME_RAN_OUT)) is not None
    ]
    if closing:
        buyers = await wallet.lock(tx, {activation.account_id for activation, _ in closing})
        await _close_all(tx, closing, buyers, now)
    return len(due)


# Erasing


async def lock_all(tx: Tx, account_id: AccountId) -> None:
    """Lock every activation the account ever ordered, in the order of their ids."""
    await store.lock_of_account(tx, account_id=account_id)


async def count_open(tx: Tx, account_id: AccountId) -> int:
    """How many open activations an account has ordered or supplies. Looks at every open one."""
    return await store.count_open_of(tx, account_id=account_id)


async def erase(tx: Tx, account_id: AccountId) -> None:
    """Forget what an account's activations, which are locked and closed, brought, why some were refunded, and its bans.

    What was ordered, when, on which number and for how much stays: the books and "never the same service twice" need it.
    """
    await store.erase_codes(tx, account_id=account_id)
    await store.erase_refunds(tx, account_id=account_id, reason=_ERASED)
    await store.delete_bans(tx, account_id=account_id)


# Upkeep


async def sandbox_targets(tx: Tx, lease_ids: Collection[LeaseId]) -> list[SandboxTarget]:
    """Where Simyard sends an SMS for those of these leases that are open activations."""
    return await store.sandbox_targets(tx, lease_ids=lease_ids) if lease_ids else []
