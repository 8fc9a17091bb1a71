"""The rows of activations, and of numbers accounts banned."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import asyncpg

from simyard.base.ids import AccountId, ActivationId, LeaseId, NumberId, PoolId, ServiceId
from simyard.core.activations.machine import State
from simyard.core.activations.model import (
    Activation,
    ActivationView,
    CheckActivation,
    HistoryFilter,
    LockedActivation,
    LookAtActivations,
)
from simyard.core.messages.model import ReceivedMessage
from simyard.core.pricing.model import Quote
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)


@dataclass(frozen=True, slots=True)
class NewActivation:
    """Without a number: it is asked for."""

    id: ActivationId
    account_id: AccountId
    pool_id: PoolId
    number_id: NumberId | None
    msisdn: str | None
    country: str
    service_id: ServiceId
    service_label: str
    country_label: str
    repeatable: bool
    quote: Quote
    supplier_id: AccountId | None
    ordered_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SandboxTarget:
    number_id: NumberId
    service: str
    service_name: str


async def insert_activations(tx: Tx, *, rows: Sequence[NewActivation]) -> None:
    await _queries.insert_activations.execute(
        tx,
        ids=[row.id for row in rows],
        account_ids=[row.account_id for row in rows],
        pool_ids=[row.pool_id for row in rows],
        number_ids=[row.number_id for row in rows],
        msisdns=[row.msisdn for row in rows],
        countries=[row.country for row in rows],
        service_ids=[row.service_id for row in rows],
        service_labels=[row.service_label for row in rows],
        country_labels=[row.country_label for row in rows],
        repeatable=[row.repeatable for row in rows],
        prices=[row.quote.price for row in rows],
        currencies=[row.quote.currency for row in rows],
        margins=[row.quote.margin for row in rows],
        earnings=[row.quote.earning for row in rows],
        earning_currencies=[row.quote.earning_currency for row in rows],
        supplier_ids=[row.supplier_id for row in rows],
        ordered_at=[row.ordered_at for row in rows],
        expires_at=[row.expires_at for row in rows],
    )


def _activation(row: asyncpg.Record) -> Activation:
    return Activation(
        id=row["id"],
        msisdn=row["msisdn"],
        service_label=row["service_label"],
        country_label=row["country_label"],
        state=State(row["state"]),
        code=row["code"],
        price=row["price"],
        currency=row["currency"],
        ordered_at=row["ordered_at"],
        expires_at=row["expires_at"],
        received_at=row["received_at"],
    )


async def check(tx: Tx, *, commands: Sequence[CheckActivation]) -> dict[int, Activation]:
    """By the place of each command in the batch."""
    rows = await _queries.check.rows(
        tx,
        activation_ids=[command.activation_id for command in commands],
        account_ids=[command.account_id for command in commands],
    )
    return {row["ordinal"] - 1: _activation(row) for row in rows}


async def look(tx: Tx, *, commands: Sequence[LookAtActivations]) -> dict[int, list[ActivationView]]:
    """By the place of each command in the batch; a place is missing when nothing was found for it."""
    rows = await _queries.look.rows(
        tx,
        account_ids=[command.account_id for command in commands],
        activation_ids=[command.activation_id for command in commands],
        dismissed_too=[command.dismissed_too for command in commands],
    )
    found: dict[int, list[ActivationView]] = {}
    for (ordinal, _), same in groupby(rows, key=_ordinal_and_id):
        found.setdefault(ordinal - 1, []).append(_view(list(same)))
    return found


_ordinal_and_id = itemgetter(0, 1)


def _view(rows: Sequence[asyncpg.Record]) -> ActivationView:
    """The rows of one activation: one for each message, or one without. By place: polls read thousands of them."""
    row = rows[0]
    messages = tuple(ReceivedMessage(*one[14:]) for one in rows if one[14] is not None)
    values: tuple[Any, ...] = (*row[1:6], State(row[6]), *row[7:14], messages)
    return ActivationView(*values)


async def dismiss(tx: Tx, *, activation_id: ActivationId) -> bool:
    """Dismiss the active message; whether another is queued behind it."""
    return bool(await _queries.dismiss.value(tx, activation_id=activation_id))


async def show_next(tx: Tx, *, activation_id: ActivationId) -> None:
    await _queries.show_next.execute(tx, activation_id=activation_id)


async def ban(tx: Tx, *, account_id: AccountId, activation_id: ActivationId, now: datetime) -> None:
    await _queries.ban.execute(tx, account_id=account_id, activation_id=activation_id, now=now)


async def banned(
    tx: Tx, *, asking: Collection[tuple[AccountId, str]], limit: int
) -> dict[tuple[AccountId, str], tuple[str, ...]]:
    """The numbers accounts banned in countries, newest first, so many of each at most."""
    rows = await _queries.banned.rows(
        tx, account_ids=[one[0] for one in asking], countries=[one[1] for one in asking], limit=limit
    )
    return {(row["account_id"], row["country"]): tuple(row["msisdns"]) for row in rows}


async def number_of(
    tx: Tx, *, account_id: AccountId, activation_id: ActivationId
) -> tuple[bool, NumberId | None]:
    """Whether the account has such an activation, and its number."""
    row = await _queries.number_of.row(tx, account_id=account_id, activation_id=activation_id)
    return (False, None) if row is None else (True, row["number_id"])


async def number_of_any(tx: Tx, *, activation_id: ActivationId) -> tuple[bool, NumberId | None]:
    """Whether there is such an activation, whoever has it, and its number."""
    row = await _queries.number_of_any.row(tx, activation_id=activation_id)
    return (False, None) if row is None else (True, row["number_id"])


async def refunded(tx: Tx, *, activation_id: ActivationId) -> bool:
    return bool(await _queries.refunded.value(tx, activation_id=activation_id))


async def insert_refund(
    tx: Tx, *, activation_id: ActivationId, amount: int, reason: str, now: datetime
) -> None:
    await _queries.insert_refund.execute(
        tx, activation_id=activation_id, amount=amount, reason=reason, now=now
    )


def _locked(row: asyncpg.Record) -> LockedActivation:
    return LockedActivation(
        id=row["id"],
        account_id=row["account_id"],
        number_id=row["number_id"],
        msisdn=row["msisdn"],
        service_id=row["service_id"],
        service_label=row["service_label"],
        state=State(row["state"]),
        price=row["price"],
        currency=row["currency"],
        margin=row["margin"],
        earning=row["earning"],
        earning_currency=row["earning_currency"],
        supplier_id=row["supplier_id"],
        code=row["code"],
        coded=row["coded"],
        messages=row["messages"],
        ordered_at=row["ordered_at"],
        expires_at=row["expires_at"],
        remote=row["remote"],
    )


async def lock_activations(
    tx: Tx, *, activation_ids: Collection[ActivationId]
) -> dict[ActivationId, LockedActivation]:
    rows = await _queries.lock_activations.rows(tx, activation_ids=list(activation_ids))
    return {row["id"]: _locked(row) for row in rows}


async def lock_open_on_numbers(
    tx: Tx, *, number_ids: Collection[NumberId]
) -> dict[NumberId, LockedActivation]:
    rows = await _queries.lock_open_on_numbers.rows(tx, number_ids=list(number_ids))
    return {row["number_id"]: _locked(row) for row in rows}


async def due(tx: Tx, *, now: datetime, limit: int) -> list[tuple[ActivationId, NumberId | None]]:
    return [(row["id"], row["number_id"]) for row in await _queries.due.rows(tx, now=now, limit=limit)]


async def move(
    tx: Tx, *, steps: Sequence[tuple[ActivationId, State, State]], closes: Sequence[bool], now: datetime
) -> int:
    return await _queries.move.execute(
        tx,
        activation_ids=[step[0] for step in steps],
        from_states=[step[1] for step in steps],
        to_states=[step[2] for step in steps],
        closes=list(closes),
        now=now,
    )


async def give_number(tx: Tx, *, activation_id: ActivationId, number_id: NumberId, msisdn: str) -> None:
    await _queries.give_number.execute(tx, activation_id=activation_id, number_id=number_id, msisdn=msisdn)


async def has_served(tx: Tx, *, number_id: NumberId, service_id: ServiceId) -> bool:
    return bool(await _queries.has_served.value(tx, number_id=number_id, service_id=service_id))


async def receive(
    tx: Tx,
    *,
    activation_ids: Sequence[ActivationId],
    codes: Sequence[str | None],
    counts: Sequence[int],
    replaces: Sequence[bool],
    now: datetime,
) -> None:
    await _queries.receive.execute(
        tx, activation_ids=activation_ids, codes=codes, counts=counts, replaces=replaces, now=now
    )


async def history(
    tx: Tx, *, account_id: AccountId, only: HistoryFilter | None, limit: int, offset: int
) -> list[Activation]:
    rows = await _queries.history.rows(tx, account_id=account_id, only=only, limit=limit, offset=offset)
    return [_activation(row) for row in rows]


async def history_count(tx: Tx, *, account_id: AccountId, only: HistoryFilter | None) -> int:
    return int(await _queries.history_count.value(tx, account_id=account_id, only=only))


async def sandbox_targets(tx: Tx, *, lease_ids: Collection[LeaseId]) -> list[SandboxTarget]:
    rows = await _queries.sandbox_targets.rows(tx, lease_ids=list(lease_ids))
    return [SandboxTarget(*row) for row in rows]


async def lock_of_account(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.lock_of_account.execute(tx, account_id=account_id)


async def count_open_of(tx: Tx, *, account_id: AccountId) -> int:
    return int(await _queries.count_open_of.value(tx, account_id=account_id))


async def erase_codes(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.erase_codes.execute(tx, account_id=account_id)


async def erase_refunds(tx: Tx, *, account_id: AccountId, reason: str) -> None:
    await _queries.erase_refunds.execute(tx, account_id=account_id, reason=reason)


async def delete_bans(tx: Tx, *, account_id: AccountId) -> None:
    await _queries.delete_bans.execute(tx, account_id=account_id)
