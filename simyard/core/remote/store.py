"""The rows of remote pools."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from simyard.base.ids import AccountId, LeaseId, PoolId
from simyard.core.remote.model import (
    Choice,
    DueLease,
    Ending,
    HeldNumber,
    LeaseState,
    Problem,
    Profile,
    ProfileView,
    RemoteNumber,
    RemoteOffer,
    RemoteWant,
    RemoteWish,
    Returned,
    SetProfile,
    UnknownName,
)
from simyard.db import sql
from simyard.db.database import Tx

_queries = sql.load(__package__)
_wish_encoder = msgspec.msgpack.Encoder()
_wish_decoder = msgspec.msgpack.Decoder(RemoteWish)


async def set_profile(tx: Tx, *, command: SetProfile, key_in_digest: bytes | None, now: datetime) -> None:
    await _queries.set_profile.execute(
        tx,
        pool_id=command.pool_id,
        protocol=command.protocol,
        url=command.url,
        key=command.key,
        key_in_digest=key_in_digest,
        switches=msgspec.json.encode(dict(command.switches)).decode(),
        now=now,
    )


async def profiles(tx: Tx, *, pool_id: PoolId | None, base_currency: str) -> list[ProfileView]:
    return [
        ProfileView(
            profile=Profile(
                pool_id=row["pool_id"],
                protocol=row["protocol"],
                url=row["url"],
                key=row["key"],
                switches=msgspec.json.decode(row["switches"], type=dict[str, str]),
                supplier_id=row["supplier_id"],
                rent_allowed=row["rent_allowed"],
                base_currency=base_currency,
            ),
            pool_name=row["name"],
            kind=row["kind"],
            enabled=row["enabled"],
            online_until=row["online_until"],
            stocked_at=row["stocked_at"],
            stock_problem=row["stock_problem"],
            balance=row["balance"],
            failures=row["failures"],
            open_until=row["open_until"],
            failed_at=row["failed_at"],
            failure=row["failure"],
        )
        for row in await _queries.profiles.rows(tx, pool_id=pool_id)
    ]


async def pool_of_key_in(tx: Tx, *, digest: bytes) -> PoolId | None:
    found = await _queries.pool_of_key_in.value(tx, digest=digest)
    return None if found is None else PoolId(found)


async def claim_stock_rounds(tx: Tx, *, now: datetime, next_at: datetime, limit: int) -> list[PoolId]:
    rows = await _queries.claim_stock_rounds.rows(tx, now=now, next_at=next_at, limit=limit)
    return [PoolId(row["pool_id"]) for row in rows]


async def claim_polls(tx: Tx, *, now: datetime, next_at: datetime, limit: int) -> list[PoolId]:
    rows = await _queries.claim_polls.rows(tx, now=now, next_at=next_at, limit=limit)
    return [PoolId(row["pool_id"]) for row in rows]


async def set_poll_due(tx: Tx, *, pool_id: PoolId, due_at: datetime) -> None:
    await _queries.set_poll_due.execute(tx, pool_id=pool_id, due_at=due_at)


async def held(tx: Tx, *, pool_id: PoolId, limit: int) -> list[HeldNumber]:
    return [HeldNumber(*row) for row in await _queries.held.rows(tx, pool_id=pool_id, limit=limit)]


async def list_offers(tx: Tx, *, pool_id: PoolId, offers: Sequence[RemoteOffer]) -> None:
    await _queries.list_offers.execute(
        tx,
        pool_id=pool_id,
        country_names=[one.country_name for one in offers],
        service_names=[one.service_name for one in offers],
        operator_names=[one.operator_name for one in offers],
        countries=[one.country for one in offers],
        service_ids=[one.service_id for one in offers],
        operator_ids=[one.operator_id for one in offers],
        prices=[one.price for one in offers],
        stocks=[one.stock for one in offers],
    )
    await _queries.drop_offers.execute(
        tx,
        pool_id=pool_id,
        country_names=[one.country_name for one in offers],
        service_names=[one.service_name for one in offers],
        operator_names=[one.operator_name for one in offers],
    )


async def count_unknown(
    tx: Tx, *, pool_id: PoolId, names: Collection[tuple[str, str]], now: datetime
) -> None:
    await _queries.count_unknown.execute(
        tx, pool_id=pool_id, kinds=[one[0] for one in names], names=[one[1] for one in names], now=now
    )


async def unknown_names(tx: Tx, *, pool_id: PoolId | None, limit: int) -> list[UnknownName]:
    return [UnknownName(*row) for row in await _queries.unknown_names.rows(tx, pool_id=pool_id, limit=limit)]


async def mark_stocked(tx: Tx, *, pool_id: PoolId, balance: int | None, now: datetime) -> None:
    await _queries.mark_stocked.execute(tx, pool_id=pool_id, balance=balance, now=now)


async def mark_not_stocked(tx: Tx, *, pool_id: PoolId, problem: str) -> None:
    await _queries.mark_not_stocked.execute(tx, pool_id=pool_id, problem=problem)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a want would be asked for, the failures in a row of its pool, and how many numbers more that can lend."""

    choice: Choice
    failures: int
    room: int | None


async def choose(tx: Tx, *, wants: Sequence[RemoteWant], now: datetime) -> dict[int, Chosen]:
    """By the place of each want."""
    rows = await _queries.choose.rows(
        tx,
        pool_ids=[want.pool_id for want in wants],
        countries=[want.country for want in wants],
        service_ids=[want.service_id for want in wants],
        operator_ids=[want.operator_id for want in wants],
        cost_maxima=[want.cost_max for want in wants],
        now=now,
    )
    return {
        row["ordinal"] - 1: Chosen(
            Choice(row["country_name"], row["service_name"], row["operator_name"]),
            row["failures"],
            row["room"],
        )
        for row in rows
    }


async def take_probes(tx: Tx, *, pool_ids: Collection[PoolId], now: datetime, until: datetime) -> set[PoolId]:
    rows = await _queries.take_probes.rows(tx, pool_ids=list(pool_ids), now=now, until=until)
    return {PoolId(row["pool_id"]) for row in rows}


async def note_failure(
    tx: Tx, *, pool_id: PoolId, failure: str, failures_max: int, now: datetime, until: datetime
) -> None:
    await _queries.note_failure.execute(
        tx, pool_id=pool_id, failure=failure, failures_max=failures_max, now=now, until=until
    )


async def sell_out(tx: Tx, *, pool_id: PoolId, wish: RemoteWish) -> None:
    await _queries.sell_out.execute(
        tx,
        pool_id=pool_id,
        country_name=wish.country_name,
        service_name=wish.service_name,
        operator_name=wish.operator_name,
    )


async def note_success(tx: Tx, *, pool_id: PoolId) -> None:
    await _queries.note_success.execute(tx, pool_id=pool_id)


async def next_lease_ids(tx: Tx, *, count: int) -> list[int]:
    return [row["id"] for row in await _queries.next_lease_ids.rows(tx, count=count)]


async def begin(
    tx: Tx, *, asking: Mapping[LeaseId, tuple[PoolId, RemoteWish]], now: datetime, due_at: datetime
) -> None:
    await _queries.begin.execute(
        tx,
        lease_ids=list(asking),
        pool_ids=[pool_id for pool_id, _ in asking.values()],
        wishes=[_wish_encoder.encode(wish) for _, wish in asking.values()],
        amounts=[wish.amount for _, wish in asking.values()],
        currencies=[wish.currency for _, wish in asking.values()],
        choosy=[bool(wish.excluded) for _, wish in asking.values()],
        now=now,
        due_at=due_at,
    )


async def forget_asking(tx: Tx, *, lease_id: LeaseId) -> None:
    await _queries.forget_asking.execute(tx, lease_id=lease_id)


async def remote_id_in_use(tx: Tx, *, pool_id: PoolId, remote_id: str) -> bool:
    return bool(await _queries.remote_id_in_use.value(tx, pool_id=pool_id, remote_id=remote_id))


async def hold(tx: Tx, *, lease_id: LeaseId, number: RemoteNumber, now: datetime) -> bool:
    held = await _queries.hold.value(
        tx, lease_id=lease_id, remote_id=number.remote_id, msisdn=number.msisdn, cost=number.cost, now=now
    )
    return held is not None


async def give_back(
    tx: Tx, *, lease_id: LeaseId, number: RemoteNumber, ending: Ending, now: datetime
) -> None:
    given = await _queries.give_back.value(
        tx,
        lease_id=lease_id,
        remote_id=number.remote_id,
        msisdn=number.msisdn,
        cost=number.cost,
        ending=ending,
        now=now,
    )
    if given is None:
        await _queries.give_back_another.execute(
            tx,
            lease_id=lease_id,
            remote_id=number.remote_id,
            msisdn=number.msisdn,
            cost=number.cost,
            ending=ending,
            now=now,
        )


async def lock_profile(tx: Tx, *, pool_id: PoolId) -> None:
    await _queries.lock_profile.execute(tx, pool_id=pool_id)


async def known_remote_ids(
    tx: Tx, *, pool_id: PoolId, remote_ids: Collection[str], since: datetime
) -> set[str]:
    rows = await _queries.known_remote_ids.rows(tx, pool_id=pool_id, remote_ids=list(remote_ids), since=since)
    return {row["remote_id"] for row in rows}


async def asking_besides(tx: Tx, *, pool_id: PoolId) -> bool:
    return bool(await _queries.asking_besides.value(tx, pool_id=pool_id))


async def is_asking(tx: Tx, *, supplier_id: AccountId, pool_id: PoolId | None) -> bool:
    return bool(await _queries.is_asking.value(tx, supplier_id=supplier_id, pool_id=pool_id))


async def set_state(
    tx: Tx,
    *,
    lease_id: LeaseId,
    state: LeaseState,
    due_at: datetime | None,
    problem: str | None,
    now: datetime,
) -> None:
    await _queries.set_state.execute(
        tx, lease_id=lease_id, state=state, due_at=due_at, problem=problem, now=now
    )


async def end(tx: Tx, *, returned: Sequence[Returned], now: datetime) -> None:
    await _queries.end.execute(
        tx,
        lease_ids=[one.lease_id for one in returned],
        endings=[one.ending for one in returned],
        amounts=[one.amount for one in returned],
        now=now,
    )


async def refund(tx: Tx, *, lease_id: LeaseId, now: datetime) -> bool:
    return await _queries.refund.value(tx, lease_id=lease_id, now=now) is not None


async def want_next(tx: Tx, *, lease_id: LeaseId, now: datetime) -> None:
    await _queries.want_next.execute(tx, lease_id=lease_id, now=now)


async def claim_due(
    tx: Tx,
    *,
    now: datetime,
    claimed_until: datetime,
    in_flight: Mapping[PoolId, int],
    per_pool_max: int,
    limit: int,
) -> list[DueLease]:
    rows = await _queries.claim_due.rows(
        tx,
        now=now,
        claimed_until=claimed_until,
        in_flight_ids=list(in_flight),
        in_flight_counts=list(in_flight.values()),
        per_pool_max=per_pool_max,
        limit=limit,
    )
    return [_due(row) for row in rows]


def _due(row: asyncpg.Record) -> DueLease:
    return DueLease(
        id=row["id"],
        lease_id=row["lease_id"],
        pool_id=row["pool_id"],
        state=LeaseState(row["state"]),
        wish=_wish_decoder.decode(row["wish"]),
        remote_id=row["remote_id"],
        amount=row["amount"],
        currency=row["currency"],
        ending=None if row["ending"] is None else Ending(row["ending"]),
        next_wanted=row["next_wanted"],
        asked_at=row["asked_at"],
        changed_at=row["changed_at"],
        tries=row["tries"],
        retry_seconds=row["retry_seconds"],
    )


async def record_finished(tx: Tx, *, due: DueLease, now: datetime) -> None:
    await _queries.record_finished.execute(tx, id=due.id, ending=due.ending, now=now)


async def record_not_finished(
    tx: Tx, *, due: DueLease, due_at: datetime | None, gives_up: bool, problem: str | None
) -> None:
    await _queries.record_not_finished.execute(
        tx, id=due.id, ending=due.ending, due_at=due_at, gives_up=gives_up, problem=problem
    )


async def record_next_requested(tx: Tx, *, due: DueLease) -> None:
    await _queries.record_next_requested.execute(tx, id=due.id)


async def record_next_not_requested(tx: Tx, *, due: DueLease, due_at: datetime) -> None:
    await _queries.record_next_not_requested.execute(tx, id=due.id, due_at=due_at)


async def settle(tx: Tx, *, due: DueLease, problem: str | None, now: datetime) -> None:
    await _queries.settle.execute(tx, id=due.id, problem=problem, now=now)


async def look_later(tx: Tx, *, due: DueLease, due_at: datetime) -> None:
    await _queries.look_later.execute(tx, id=due.id, due_at=due_at)


async def problems(tx: Tx, *, pool_id: PoolId | None, limit: int) -> list[Problem]:
    return [
        Problem(
            row["id"],
            row["lease_id"],
            row["pool_id"],
            row["pool_name"],
            LeaseState(row["state"]),
            None if row["ending"] is None else Ending(row["ending"]),
            row["remote_id"],
            row["asked_at"],
            row["changed_at"],
            row["problem"],
        )
        for row in await _queries.problems.rows(tx, pool_id=pool_id, limit=limit)
    ]


async def clear_problem(tx: Tx, *, problem_id: int) -> LeaseId | None:
    found: LeaseId | None = await _queries.clear_problem.value(tx, id=problem_id)
    return found


async def forget_leases(tx: Tx, *, before: datetime, limit: int) -> int:
    return len(await _queries.forget_leases.rows(tx, before=before, limit=limit))


async def lock_profiles(tx: Tx, *, pool_ids: Collection[PoolId]) -> None:
    await _queries.lock_profiles.execute(tx, pool_ids=list(pool_ids))


async def count_unsettled(tx: Tx, *, pool_ids: Collection[PoolId]) -> int:
    return int(await _queries.count_unsettled.value(tx, pool_ids=list(pool_ids)))


async def delete_profiles(tx: Tx, *, pool_ids: Collection[PoolId]) -> None:
    await _queries.delete_profiles.execute(tx, pool_ids=list(pool_ids))


async def delete_offers(tx: Tx, *, pool_ids: Collection[PoolId]) -> None:
    await _queries.delete_offers.execute(tx, pool_ids=list(pool_ids))


async def delete_unknown_names(tx: Tx, *, pool_ids: Collection[PoolId]) -> None:
    await _queries.delete_unknown_names.execute(tx, pool_ids=list(pool_ids))


async def clear_problems(tx: Tx, *, pool_ids: Collection[PoolId]) -> None:
    await _queries.clear_problems.execute(tx, pool_ids=list(pool_ids))
