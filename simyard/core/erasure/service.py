"""The verb that erases. Each module forgets what its own tables say of a person; this one says in which order."""

from __future__ import annotations

from collections.abc import Collection

from simyard.base.ids import AccountId, PoolId
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts import service as accounts
from simyard.core.accounts.model import AccountState, Role
from simyard.core.activations import service as activations
from simyard.core.audit import service as audit
from simyard.core.catalog import service as catalog
from simyard.core.earnings import service as earnings
from simyard.core.erasure import rules
from simyard.core.erasure.model import EraseAccount, Erased, OpenBusiness
from simyard.core.funding import service as funding
from simyard.core.gateways import service as gateways
from simyard.core.idempotency import service as idempotency
from simyard.core.logins import service as logins
from simyard.core.mail import service as mail
from simyard.core.messages import service as messages
from simyard.core.numbers import service as numbers
from simyard.core.pools import service as pools
from simyard.core.public_numbers import service as public_numbers
from simyard.core.remote import service as remote
from simyard.core.rentals import service as rentals
from simyard.core.wallet import service as wallet
from simyard.core.webhooks import service as webhooks
from simyard.db.database import Tx


async def erase(tx: Tx, command: EraseAccount, *, actor: str) -> Erased:
    """Forget whose an account is, and all that would tell; what it bought, earned and was paid stays in the books.

    Nobody can log in to it, order with it or pay into it from then on. Its email may be registered anew. docs/privacy.md
    says what goes and what stays. Refuses, first match wins: UNKNOWN_ACCOUNT, MALFORMED (reason: also one that says whom it
    is about), OPERATOR_ACCOUNT, NOT_SETTLED (what is open, by the names of `OpenBusiness`). A repeat changes nothing.
    Locks: the email's failed logins, the account, keys, gateways, pools, then numbers, activations, payouts and the wallet
    as everywhere, then profiles of remote pools.
    """
    known = await accounts.find_account_by_id(tx, command.account_id)
    await logins.unlock(tx, known.email)
    account = await accounts.lock(tx, command.account_id)
    if account.state is AccountState.ERASED:
        return Erased(account.id, before=True)
    reason = command.reason.strip()
    refusal = rules.judge_reason(reason, email=account.email, name=await accounts.name_of(tx, account.id))
    if refusal is not None:
        raise refusal
    if account.role is Role.OPERATOR:
        raise Refusal(Refused.OPERATOR_ACCOUNT, account_id=account.id)
    await idempotency.erase(tx, account.id)
    await gateways.erase(tx, account.id)
    pool_ids = await pools.lock_all(tx, account.id)
    refusal = rules.judge(account.id, await _open_business(tx, account.id, pool_ids))
    if refusal is not None:
        raise refusal
    await _erase_buyer(tx, account.id)
    await _erase_supplier(tx, account.id, pool_ids)
    await wallet.close(tx, account.id)
    await logins.erase(tx, account.id, account.email)
    # From here on whoever was about to write something about the account waits, and then finds nobody.
    await accounts.erase(tx, account.id)
    await messages.erase(tx, account.id)
    await mail.erase(tx, account.email)
    facts: dict[str, object] = {"account_id": account.id, "reason": reason}
    await audit.record(tx, actor=actor, action="account.erased", facts=facts, now=command.now)
    return Erased(account.id, before=False)


async def _open_business(tx: Tx, account_id: AccountId, pool_ids: Collection[PoolId]) -> OpenBusiness:
    """Locks everything through which more could begin before it looks at what has."""
    leased = await numbers.lock_of_pools(tx, pool_ids)
    await activations.lock_all(tx, account_id)
    payouts = await earnings.lock_payouts(tx, account_id)
    own = (await wallet.lock(tx, [account_id])).get(account_id)
    remote_leases = await remote.lock_pools(tx, pool_ids)
    leases = await activations.count_open(tx, account_id) + await rentals.count_open(tx, account_id)
    if own is None:
        return OpenBusiness(leases, leased, payouts, remote_leases)
    return OpenBusiness(
        leases, leased, payouts, remote_leases, own.available, own.held, own.pending, own.debt, own.currency
    )


async def _erase_buyer(tx: Tx, account_id: AccountId) -> None:
    await activations.erase(tx, account_id)
    await catalog.erase(tx, account_id)
    await funding.erase(tx, account_id)
    await webhooks.erase(tx, account_id)


async def _erase_supplier(tx: Tx, account_id: AccountId, pool_ids: Collection[PoolId]) -> None:
    await earnings.erase(tx, account_id)
    await public_numbers.erase(tx, pool_ids)
    await numbers.retire(tx, pool_ids)
    await remote.erase(tx, pool_ids)
    await pools.erase(tx, pool_ids)
