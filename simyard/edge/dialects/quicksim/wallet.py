"""The wallet: its balance, and the bank accounts it is filled by."""

from __future__ import annotations

from typing import Final

from simyard.base.refusals import Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.funding import service as funding
from simyard.core.funding.model import (
    CreateVirtualAccount,
    Funds,
    ListVirtualAccounts,
    VirtualAccount,
)
from simyard.core.limits.model import Budget
from simyard.edge.dialects.quicksim import reading, shapes
from simyard.edge.wire import Action, InSteps, InTransaction, WireRequest, WireResponse, json_response

CREATED: Final = 201


def _parse_list(request: WireRequest) -> ListVirtualAccounts:
    return ListVirtualAccounts(request.caller.account_id, request.settings.funding_provider)


def _parse_create(request: WireRequest) -> CreateVirtualAccount:
    code = reading.text(reading.fields(request), "bank_code")
    return CreateVirtualAccount(request.caller.account_id, code.strip())


def _render_list(funds: Funds, _: ListVirtualAccounts, __: Caller) -> WireResponse:
    accounts = [
        shapes.VirtualAccountItem(
            one.public_id,
            one.bank_name,
            one.account_number,
            one.account_name,
            shapes.moment(one.created_at),
        )
        for one in funds.accounts
    ]
    return json_response(shapes.WalletAnswer(shapes.amount(funds.balance), funds.currency, accounts))


def _render_created(account: VirtualAccount, _: CreateVirtualAccount, __: Caller) -> WireResponse:
    answer = shapes.VirtualAccountAnswer(
        account.public_id,
        account.bank_name,
        account.account_number,
        account.account_name,
        "Virtual account created. Deposits will be credited automatically.",
    )
    return json_response(answer, CREATED)


def actions(budget: Budget) -> dict[tuple[str, str], Action]:
    return {
        ("GET", "/wallet/virtual-accounts"): Action(
            "The wallet's balance and the bank accounts it is filled by",
            Scope.READ,
            _parse_list,
            InTransaction(funding.list_virtual_accounts),
            _render_list,
            shapes.WalletAnswer,
            budget=budget,
            noun="wallet",
        ),
        ("POST", "/wallet/create-virtual-account"): Action(
            "Have a bank account made whose deposits go to the wallet",
            Scope.ORDER,
            _parse_create,
            InSteps(lambda steps: steps.funding.create_virtual_account),
            _render_created,
            shapes.VirtualAccountAnswer,
            body=shapes.BankBody,
            success_status=CREATED,
            refuses=(
                Refused.UNKNOWN_BANK,
                Refused.CURRENCY_MISMATCH,
                Refused.TOO_MANY_ACCOUNTS,
                Refused.UPSTREAM_FAILED,
                Refused.BUSY,
            ),
            budget=budget,
            noun="virtual account",
        ),
    }
