"""Verbs about gateways: setting them up, finding the numbers their messages are for, and learning from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg

from simyard.base import phone
from simyard.base.ids import AccountId, PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.audit import service as audit
from simyard.core.catalog.catalog import load as load_catalog
from simyard.core.gateways import rules, store
from simyard.core.gateways.model import (
    KEY_LENGTH_MAX,
    AddGateway,
    Gateway,
    GatewayMessage,
    GatewayView,
    Handled,
    Outcome,
    SimEntry,
    SimSeen,
    Target,
)
from simyard.core.numbers import service as numbers
from simyard.core.numbers.model import ReportedNumber
from simyard.core.pools import service as pools
from simyard.core.pools.model import PoolKind
from simyard.db.database import Tx

UNMATCHED_KEYS_MAX = 1000
"""Of one gateway. What comes under more of them is counted under one name."""
OTHER_KEYS = "(others)"
DEVICES_MAX = 1000
SIMS_MAX = 20_000
PORT_LENGTH_MAX = 100
_SEEN_EVERY = timedelta(minutes=1)
_OUTCOMES_SHOWN = timedelta(days=7)


# Setting up


async def add_gateway(tx: Tx, command: AddGateway, *, actor: str, now: datetime) -> tuple[Gateway, str]:
    """Set up a gateway of a direct pool. Returns it with the token of its address, which is not kept.

    Refuses, first match wins: UNKNOWN_POOL (also one that is not direct), ACCOUNT_ERASED (its supplier), GATEWAY_TAKEN (the name).
    """
    await _direct_pool(tx, command.pool_id)
    token = rules.new_token()
    try:
        gateway_id = await store.insert_gateway(
            tx,
            name=command.name,
            kind=command.kind,
            pool_id=command.pool_id,
            token_digest=rules.digest(token),
            secret=command.secret,
            networks=command.networks,
            time_zone=command.time_zone,
            country=command.country,
            options=command.options,
            stocks=command.stocks,
            now=now,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "gateway_name_taken":
            raise
        raise Refusal(Refused.GATEWAY_TAKEN, name=command.name) from error
    facts: dict[str, object] = {"gateway_id": gateway_id, "kind": command.kind, "pool_id": command.pool_id}
    await audit.record(tx, actor=actor, action="gateway.added", facts=facts, now=now)
    return await find_gateway(tx, command.name), token


async def _direct_pool(tx: Tx, pool_id: PoolId) -> None:
    pool = await pools.find_pool(tx, pool_id)
    if pool.kind is not PoolKind.DIRECT:
        raise Refusal(Refused.UNKNOWN_POOL, pool=pool_id, problem="it is not a direct one")
    if pool.supplier_id is None:
        raise Refusal(Refused.ACCOUNT_ERASED, pool=pool_id)


async def find_gateway(tx: Tx, name: str) -> Gateway:
    """Refuses: UNKNOWN_GATEWAY."""
    found = await store.find_by_name(tx, name=name)
    if found is None:
        raise Refusal(Refused.UNKNOWN_GATEWAY, name=name)
    return found


async def list_gateways(tx: Tx) -> list[Gateway]:
    return await store.list_gateways(tx)


async def set_enabled(tx: Tx, name: str, *, enabled: bool, actor: str, now: datetime) -> None:
    """Let a gateway hand messages in, or not. Refuses: UNKNOWN_GATEWAY."""
    gateway = await find_gateway(tx, name)
    await store.set_enabled(tx, gateway_id=gateway.id, enabled=enabled)
    action = "gateway.enabled" if enabled else "gateway.disabled"
    await audit.record(tx, actor=actor, action=action, facts={"gateway_id": gateway.id}, now=now)


async def renew_token(tx: Tx, name: str, *, actor: str, now: datetime) -> tuple[Gateway, str]:
    """Give a gateway another address; the one before is good for nothing from now. Refuses: UNKNOWN_GATEWAY."""
    gateway = await find_gateway(tx, name)
    token = rules.new_token()
    await store.set_token(tx, gateway_id=gateway.id, token_digest=rules.digest(token))
    await audit.record(tx, actor=actor, action="gateway.token", facts={"gateway_id": gateway.id}, now=now)
    return gateway, token


async def remove_gateway(tx: Tx, name: str, *, actor: str, now: datetime) -> None:
    """Forget a gateway and all that was known of its SIMs. Refuses: UNKNOWN_GATEWAY."""
    gateway = await find_gateway(tx, name)
    await store.delete_gateway(tx, gateway_id=gateway.id)
    await audit.record(tx, actor=actor, action="gateway.removed", facts={"gateway_id": gateway.id}, now=now)


async def map_sim(tx: Tx, name: str, key: str, msisdn: str, *, actor: str, now: datetime) -> None:
    """Say which number a SIM is, whatever its gateway says.

    Refuses, first match wins: UNKNOWN_GATEWAY, MALFORMED (the key), UNKNOWN_NUMBER (not one of its supplier's).
    """
    gateway = await find_gateway(tx, name)
    cleaned = rules.clean(key, KEY_LENGTH_MAX)
    if not cleaned or cleaned != key.strip():
        raise Refusal(Refused.MALFORMED, field="key")
    own = await store.own_numbers(tx, supplier_id=gateway.supplier_id, msisdns=[msisdn])
    if msisdn not in own:
        raise Refusal(Refused.UNKNOWN_NUMBER, number=msisdn)
    await store.set_sim(tx, gateway_id=gateway.id, key=cleaned, msisdn=msisdn, now=now)
    await store.forget_unmatched(tx, gateway_id=gateway.id, key=cleaned)
    facts: dict[str, object] = {"gateway_id": gateway.id, "number_id": own[msisdn]}
    await audit.record(tx, actor=actor, action="gateway.mapped", facts=facts, now=now)


async def unmap_sim(tx: Tx, name: str, key: str, *, actor: str, now: datetime) -> bool:
    """Forget which number a SIM is; returns whether it was known. Refuses: UNKNOWN_GATEWAY."""
    gateway = await find_gateway(tx, name)
    known = await store.delete_sim(tx, gateway_id=gateway.id, key=key.strip())
    await audit.record(tx, actor=actor, action="gateway.unmapped", facts={"gateway_id": gateway.id}, now=now)
    return known


async def view(tx: Tx, name: str, *, now: datetime) -> GatewayView:
    """A gateway with its SIMs, what could not be matched, and what became of a week's messages.

    Refuses: UNKNOWN_GATEWAY.
    """
    gateway = await find_gateway(tx, name)
    _, devices = await store.surroundings(
        tx, gateway_id=gateway.id, pool_id=gateway.pool_id, limit=DEVICES_MAX
    )
    since = (now - _OUTCOMES_SHOWN).date()
    return GatewayView(
        gateway,
        tuple(await store.list_sims(tx, gateway_id=gateway.id)),
        tuple(await store.list_unmatched(tx, gateway_id=gateway.id)),
        await store.outcomes(tx, gateway_id=gateway.id, since=since),
        tuple(devices),
    )


# Messages


async def find_by_token(tx: Tx, kind: str, token: str) -> Gateway | None:
    """The gateway whose address has this token; not enabled when its supplier's account is not active."""
    if len(token) > rules.TOKEN_LENGTH_MAX:
        return None
    return await store.find_by_token(tx, token_digest=rules.digest(token), kind=kind)


async def locate(tx: Tx, gateway: Gateway, messages: Sequence[GatewayMessage], now: datetime) -> list[Target]:
    """The number each message is for, and whether it was handed in before. Reads only.

    First match wins: the number the gateway names, the SIM's ICCID, its IMSI, the place it sits in; each as operators
    or the gateway told, then by the port its supplier reported.
    """
    others, known_devices = await store.surroundings(
        tx, gateway_id=gateway.id, pool_id=gateway.pool_id, limit=2
    )
    devices = {*known_devices, *(rules.device(message.sim) for message in messages)} - {""}
    one_device = len(devices) <= 1
    recipients = [rules.recipient(message.sim, gateway.country) for message in messages]
    names = [rules.keys(message.sim, one_device=one_device) for message in messages]
    places = [rules.ports(message.sim, one_device=one_device, alone=not others) for message in messages]
    sims = await store.sims_by_key(tx, gateway_id=gateway.id, keys={one for some in names for one in some})
    by_port = await store.numbers_by_port(
        tx, pool_id=gateway.pool_id, ports={one for some in places for one in some}
    )
    wanted = {one for one in recipients if one} | {entry.msisdn for entry in sims.values()}
    own = await store.own_numbers(tx, supplier_id=gateway.supplier_id, msisdns=wanted)
    repeated = await _repeated(tx, gateway, messages, now)
    targets = []
    for index, message in enumerate(messages):
        candidates = [
            recipients[index],
            *(sims[key].msisdn for key in names[index] if key in sims),
        ]
        found = next((one for one in candidates if one in own), None)
        if found is None:
            found = next((by_port[port] for port in places[index] if port in by_port), None)
        targets.append(Target(found, rules.name_of(message.sim), index in repeated))
    return targets


async def _repeated(tx: Tx, gateway: Gateway, messages: Sequence[GatewayMessage], now: datetime) -> set[int]:
    """The places of messages that were handed in before, or come twice in this batch."""
    digests = {
        one
        for message in messages
        for one in (rules.event_digest(message), rules.content_digest(message))
        if one is not None
    }
    seen = await store.seen(tx, gateway_id=gateway.id, digests=digests)
    found: set[int] = set()
    for index, message in enumerate(messages):
        event, content = rules.event_digest(message), rules.content_digest(message)
        before = seen.get(content)
        if (event is not None and event in seen) or (
            before is not None
            and rules.is_copy(message, sent_at=before.sent_at, seen_at=before.seen_at, now=now)
        ):
            found.add(index)
        for one in (event, content):
            if one is not None:
                seen[one] = store.Seen(message.sent_at, now)
    return found


async def note(tx: Tx, gateway: Gateway, handled: Sequence[Handled], now: datetime) -> None:
    """Remember messages that are done with, so that a repeat is recognised, and count what became of them.

    A SIM whose number the gateway named otherwise than it is known raises an alarm: the number it named goes off sale
    until an operator lets it go. Locks: the gateway's SIMs, numbers by id, the gateway's other rows.
    """
    claims: dict[str, str] = {}
    for one in handled:
        named = rules.recipient(one.message.sim, gateway.country)
        if named is not None and named == one.target.msisdn:
            claims.update((key, named) for key in rules.cards(one.message.sim))
    await _raise_alarms(tx, gateway, claims, now)
    seen: dict[bytes, datetime | None] = {}
    outcomes: Counter[str] = Counter()
    unmatched: Counter[str] = Counter()
    for one in handled:
        outcomes[one.outcome] += 1
        if one.outcome == Outcome.UNMATCHED:
            # Not remembered: once its SIM is known, the gateway may hand it in again.
            unmatched[one.target.key] += 1
        elif one.outcome != Outcome.UNREADABLE:
            event = rules.event_digest(one.message)
            if event is not None:
                seen[event] = one.message.sent_at
            seen[rules.content_digest(one.message)] = one.message.sent_at
    if seen:
        await store.mark_seen(tx, gateway_id=gateway.id, seen=seen, now=now)
    if outcomes:
        await store.count_outcomes(tx, gateway_id=gateway.id, counts=outcomes, day=now.date())
    if unmatched:
        await _count_unmatched(tx, gateway, unmatched, now)
    await _mark_alive(tx, gateway, {rules.device(one.message.sim) for one in handled}, now)


async def _raise_alarms(tx: Tx, gateway: Gateway, claims: dict[str, str], now: datetime) -> None:
    if not claims:
        return
    contradicted = await store.contradict_sims(tx, gateway_id=gateway.id, sims=claims)
    doubtful = {entry.contradicted for entry in contradicted if entry.contradicted is not None}
    if not doubtful:
        return
    actor = f"gateway:{gateway.id}"
    own = await store.own_numbers(tx, supplier_id=gateway.supplier_id, msisdns=doubtful)
    for msisdn, _ in sorted(own.items(), key=lambda item: item[1]):
        await numbers.set_blocked(tx, msisdn, blocked=True, actor=actor, now=now)
    facts: dict[str, object] = {"gateway_id": gateway.id, "sims": len(contradicted)}
    await audit.record(tx, actor=actor, action="gateway.contradiction", facts=facts, now=now)


async def _count_unmatched(tx: Tx, gateway: Gateway, counts: Counter[str], now: datetime) -> None:
    known = await store.unmatched_keys(tx, gateway_id=gateway.id, limit=UNMATCHED_KEYS_MAX)
    room = UNMATCHED_KEYS_MAX - len(known)
    kept: Counter[str] = Counter()
    for key, count in counts.items():
        if key not in known and room <= 0:
            kept[OTHER_KEYS] += count
            continue
        room -= key not in known
        kept[key] += count
    await store.count_unmatched(tx, gateway_id=gateway.id, counts=kept, now=now)


async def _mark_alive(tx: Tx, gateway: Gateway, devices: set[str], now: datetime) -> None:
    before = now - _SEEN_EVERY
    named = devices - {""}
    if named:
        await store.mark_devices(
            tx, gateway_id=gateway.id, devices=named, limit=DEVICES_MAX, now=now, before=before
        )
    if gateway.last_seen_at is None or gateway.last_seen_at < before:
        await store.mark_gateway(tx, gateway_id=gateway.id, now=now, before=before)


# Learning


async def learn(
    tx: Tx, gateway: Gateway, reports: Sequence[SimSeen], *, online_seconds: int, now: datetime
) -> None:
    """Take a gateway's word for which SIM sits where, and which number it is. No reports: a sign of life.

    One that stocks its pool counts as its supplier's report: numbers of SIMs that work are put on sale, others taken off.
    Only its supplier's own numbers are learnt, and nothing is learnt over an operator's word. A SIM known by its card as
    another number raises an alarm, as for messages. Locks: as for messages.
    """
    recipients = [rules.recipient(report.sim, gateway.country) for report in reports]
    cards = [rules.cards(report.sim) for report in reports]
    places = [rules.places(report.sim) for report in reports]
    known = await store.sims_by_key(
        tx, gateway_id=gateway.id, keys={one for some in (*cards, *places) for one in some}
    )
    if gateway.stocks:
        await _stock(tx, gateway, reports, known, online_seconds=online_seconds, now=now)
    wanted = {one for one in recipients if one} | {entry.msisdn for entry in known.values()}
    own = await store.own_numbers(tx, supplier_id=gateway.supplier_id, msisdns=wanted)
    learnt: dict[str, str] = {}
    claims: dict[str, str] = {}
    emptied: set[str] = set()
    for index, report in enumerate(reports):
        by_card = next((known[key].msisdn for key in cards[index] if key in known), None)
        msisdn = next((one for one in (recipients[index], by_card) if one in own), None)
        if not report.usable or msisdn is None:
            emptied.update(places[index])
            continue
        for key in cards[index]:
            (claims if key in known else learnt)[key] = msisdn
        for key in places[index]:
            learnt[key] = msisdn
            claims[key] = msisdn
    await _raise_alarms(tx, gateway, claims, now)
    emptied -= learnt.keys()
    if emptied:
        await store.unlearn_sims(tx, gateway_id=gateway.id, keys=emptied)
    if learnt and await store.count_sims(tx, gateway_id=gateway.id) + len(learnt) <= SIMS_MAX:
        await store.learn_sims(tx, gateway_id=gateway.id, sims=learnt, now=now)
    await _mark_alive(tx, gateway, {rules.device(report.sim) for report in reports}, now)


async def _stock(
    tx: Tx,
    gateway: Gateway,
    reports: Sequence[SimSeen],
    known: Mapping[str, SimEntry],
    *,
    online_seconds: int,
    now: datetime,
) -> None:
    """Put the numbers of SIMs that work on sale, and take others off. All it knows when it was silent for long."""
    on: dict[str, ReportedNumber] = {}
    off: set[str] = set()
    for report in reports:
        places = rules.places(report.sim)
        entries = [known[key] for key in (*rules.cards(report.sim), *places) if key in known]
        named = rules.recipient(report.sim, gateway.country) or next((one.msisdn for one in entries), None)
        if named is None:
            continue
        if report.usable:
            on |= _listed(named, port=next(iter(places), named))
        else:
            off.add(named)
    silent_since = now - timedelta(seconds=online_seconds)
    if not reports and (gateway.last_seen_at is None or gateway.last_seen_at < silent_since):
        for entry in await store.list_sims(tx, gateway_id=gateway.id):
            on |= _listed(entry.msisdn, port=entry.key)
    await pools.mark_online(tx, gateway.pool_id, seconds=online_seconds, now=now)
    await numbers.switch(tx, gateway.pool_id, list(on.values()), off - on.keys())


def _listed(msisdn: str, *, port: str) -> dict[str, ReportedNumber]:
    """The number as a supplier would report it; nothing when its country is not sold."""
    parsed = phone.parse(msisdn)
    if parsed is None or load_catalog().country(parsed.country) is None:
        return {}
    return {msisdn: ReportedNumber(msisdn, parsed.country, None, port[:PORT_LENGTH_MAX], None, False)}


async def retire_silent(tx: Tx, *, before: datetime) -> int:
    """Take numbers off sale whose gateways stock them, but say nothing any more; returns how many."""
    silent = await store.silent_numbers(tx, before=before)
    for pool_id, msisdns in silent.items():
        await numbers.switch(tx, pool_id, [], msisdns)
    return sum(map(len, silent.values()))


async def forget_seen(tx: Tx, *, before: datetime) -> int:
    """Drop what recognises repeats once none can come any more."""
    return await store.forget_seen(tx, before=before)


async def erase(tx: Tx, supplier_id: AccountId) -> None:
    """Forget all gateways of a supplier's pools, with what was known of their SIMs and devices.

    Locks: the gateways, before any pool or number, as their messages do.
    """
    await store.delete_gateways_of(tx, supplier_id=supplier_id)
