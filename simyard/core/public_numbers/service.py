"""Verbs about public numbers: what operators publish, what everybody may read."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from simyard.base.ids import NumberId, PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.audit import service as audit
from simyard.core.numbers import service as numbers
from simyard.core.public_numbers import store
from simyard.core.public_numbers.model import ListPublicMessages, PublicMessagePage, PublicNumber
from simyard.db.database import Tx


async def publish(tx: Tx, msisdn: str, *, actor: str, now: datetime) -> None:
    """Show a number's messages to everybody from now on, and never lease it again.

    Refuses: UNKNOWN_NUMBER; NUMBER_IN_USE when it was ever leased, unless it is a sandbox's: whoever reads its
    messages could take an earlier buyer's accounts over; NO_CONSENT when its supplier stated none. A repeat changes
    nothing. Locks the number.
    """
    found = await store.lock_number(tx, msisdn=msisdn)
    if found is None:
        raise Refusal(Refused.UNKNOWN_NUMBER, number=msisdn)
    if found.published:
        return
    if found.leased or (found.leased_before and not found.fictitious):
        raise Refusal(Refused.NUMBER_IN_USE, number=msisdn)
    if not found.consented:
        raise Refusal(Refused.NO_CONSENT, number=msisdn)
    await store.set_published(tx, number_id=found.id, now=now)
    await numbers.note_list_change(tx, [found.id])
    await audit.record(tx, actor=actor, action="number.published", facts={"number_id": found.id}, now=now)


async def withdraw(tx: Tx, msisdn: str, *, actor: str, now: datetime) -> bool:
    """Publish a number no longer: its messages go. Returns whether it was public.

    A real one is blocked at the same time, since anybody may have opened accounts on it; whoever wants to sell it all
    the same unblocks it. Refuses: UNKNOWN_NUMBER. One that is not public: nothing happens. Locks the number.
    """
    found = await store.lock_number(tx, msisdn=msisdn)
    if found is None:
        raise Refusal(Refused.UNKNOWN_NUMBER, number=msisdn)
    if not found.published:
        return False
    await store.delete_messages_of(tx, number_id=found.id)
    await store.set_withdrawn(tx, number_id=found.id, block=not found.fictitious)
    await numbers.note_list_change(tx, [found.id])
    await audit.record(tx, actor=actor, action="number.withdrawn", facts={"number_id": found.id}, now=now)
    return True


async def list_countries(tx: Tx) -> list[str]:
    """ISO codes of the countries that have public numbers."""
    return await store.countries(tx)


async def list_numbers(tx: Tx, country: str | None) -> list[PublicNumber]:
    """The public numbers of a country or of all; those on the air first, of these the latest published first."""
    return await store.published_numbers(tx, country=country)


async def list_messages(tx: Tx, command: ListPublicMessages) -> PublicMessagePage:
    """Messages of public numbers, newest first. An unknown number has none."""
    messages = await store.messages(
        tx,
        country=command.country,
        msisdn=command.msisdn,
        limit=command.per_page,
        offset=(command.page - 1) * command.per_page,
    )
    total = await store.count_messages(tx, country=command.country, msisdn=command.msisdn)
    return PublicMessagePage(tuple(messages), total)


async def take_quiet_sandbox_numbers(tx: Tx, *, since: datetime, limit: int) -> list[NumberId]:
    """Fictitious public numbers on which nothing came in since then; locks them, passing over what others hold."""
    return await store.take_quiet_sandbox_numbers(tx, since=since, limit=limit)


async def forget_digests(tx: Tx, *, before: datetime) -> int:
    """Drop what recognises repeats once none can come any more; returns how many."""
    return await store.forget_digests(tx, before=before)


async def forget_messages(tx: Tx, *, before: datetime, limit: int) -> int:
    """Drop messages older than this, a slice at a time; returns how many."""
    return await store.forget_messages(tx, before=before, limit=limit)


async def erase(tx: Tx, pool_ids: Collection[PoolId]) -> None:
    """Publish no number of these pools any more: their messages go, and they are blocked. The numbers are locked."""
    await store.delete_messages_of_pools(tx, pool_ids=pool_ids)
    await store.withdraw_of_pools(tx, pool_ids=pool_ids)
