"""The account: its balance, its profile, its webhook and the log of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from simyard.base.ids import AccountId
from simyard.base.refusals import Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.reports import service as reports
from simyard.core.reports.model import Profile, Purse, PurseOf
from simyard.core.webhooks import service as webhooks
from simyard.core.webhooks.model import (
    Delivery,
    DeliveryPage,
    DeliveryState,
    Endpoint,
    Event,
    ListDeliveries,
    SetEndpoint,
)
from simyard.db.database import Tx
from simyard.edge.dialects.onlinesim import names, webhook
from simyard.edge.dialects.onlinesim.fields import PAGE_MAX, Fields, find_key, wrong
from simyard.edge.dialects.onlinesim.wire import Amount, Done, amount, method, page_places
from simyard.edge.wire import (
    Action,
    InTransaction,
    NoVerb,
    Parameter,
    WireRequest,
    WireResponse,
    json_response,
)

PER_PAGE: Final = 10


# What goes over the wire


class BalanceAnswer(msgspec.Struct, kw_only=True):
    """`zbalance` is held for open operations; `income` came from referrals."""

    response: Literal["1"] = "1"
    balance: Amount
    zbalance: Amount
    income: Amount
    income_usd: Amount | UnsetType = UNSET


class Payment(msgspec.Struct):
    id: int
    id_user: int
    payment: Amount
    spent: Amount
    now: Amount
    income: Amount
    sms_count: int


class ProfileData(msgspec.Struct):
    id: int
    hash_id: str | None
    name: str
    username: str
    email: str
    apikey: str
    api_access: bool
    locale: str
    number_region: int | None
    number_country: int | None
    number_reject: list[str]
    ugroup: int
    verify: int
    block: int
    active: int
    webhook_url: str | None
    created_at: str
    payment: Payment


class ProfileAnswer(msgspec.Struct, kw_only=True):
    response: Literal[1] = 1
    profile: ProfileData


class ProfileChange(msgspec.Struct):
    webhook_url: str | UnsetType | None = UNSET


class ProfileBody(msgspec.Struct):
    """Only the webhook's URL can be changed here; null or an empty text switches it off."""

    profile: ProfileChange
    apikey: str | UnsetType = UNSET


class LogEntry(msgspec.Struct):
    id: int
    type: str
    user_id: int
    webhook_url: str
    params: webhook.Payload
    status: str
    error: str | None
    created_at: str


class LogPage(msgspec.Struct):
    current_page: int
    per_page: int
    total: int
    last_page: int
    data: list[LogEntry]


class LogAnswer(msgspec.Struct, kw_only=True):
    response: Literal[1] = 1
    data: LogPage


class User(msgspec.Struct):
    id: int
    domain: str


class UserAnswer(msgspec.Struct, kw_only=True):
    auth: Literal[True] = True
    user: User


# Balance


def _parse_balance(request: WireRequest) -> PurseOf:
    return PurseOf(request.caller.account_id, request.settings.base_currency)


def render_balance(purse: Purse, _: PurseOf, __: Caller) -> WireResponse:
    return json_response(
        BalanceAnswer(
            balance=amount(purse.available),
            zbalance=amount(purse.held),
            income=amount(purse.income),
            income_usd=UNSET if purse.income_usd is None else amount(purse.income_usd),
        )
    )


# Profile


@dataclass(frozen=True, slots=True)
class _Look:
    account_id: AccountId
    key: str
    lang: str


@dataclass(frozen=True, slots=True)
class Found:
    profile: Profile
    endpoint: Endpoint | None


def _parse_profile(request: WireRequest) -> _Look:
    # A key's text is not stored: the one that was shown is repeated.
    key = find_key(request.headers, request.query_string, request.body) or ""
    return _Look(request.caller.account_id, key, Fields.of(request).language())


async def _look(tx: Tx, command: _Look) -> Found:
    return Found(
        await reports.profile(tx, command.account_id),
        await webhooks.endpoint_of(tx, command.account_id, webhook.FORMAT),
    )


def render_profile(found: Found, command: _Look, _: Caller) -> WireResponse:
    profile = found.profile
    name = profile.email.partition("@")[0]
    has_webhook = found.endpoint is not None and found.endpoint.enabled
    return json_response(
        ProfileAnswer(
            profile=ProfileData(
                id=profile.account_id,
                hash_id=None,
                name=name,
                username=name,
                email=profile.email,
                apikey=command.key,
                api_access=True,
                locale=command.lang,
                number_region=None,
                number_country=None,
                number_reject=[],
                ugroup=1,
                verify=1,
                block=0,
                active=1,
                webhook_url=found.endpoint.url if found.endpoint is not None and has_webhook else None,
                created_at=names.moment(profile.created_at),
                payment=Payment(
                    id=profile.account_id,
                    id_user=profile.account_id,
                    payment=amount(profile.deposited),
                    spent=amount(profile.spent),
                    now=amount(profile.available),
                    income=amount(profile.income),
                    sms_count=profile.messages,
                ),
            )
        )
    )


_FORM_FIELD: Final = "profile[webhook_url]"


def _parse_change(request: WireRequest) -> SetEndpoint | WireResponse:
    fields = Fields.of(request)
    change = fields.raw("profile")
    if isinstance(change, str):
        change = _decoded(change)
    if change is None and _FORM_FIELD in fields:
        change = {"webhook_url": fields.raw(_FORM_FIELD)}
    if not isinstance(change, dict):
        raise wrong()
    if "webhook_url" not in change:
        # Of a profile nothing else can be changed here.
        return json_response(Done())
    url = change["webhook_url"]
    if url is not None and not (isinstance(url, str) and url.isprintable()):
        raise wrong()
    return SetEndpoint(
        account_id=request.caller.account_id,
        format=webhook.FORMAT,
        event=Event.MESSAGE,
        url=(url or "").strip() or None,
        networks_allowed=request.settings.webhook_networks_allowed,
        now=request.now,
    )


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise wrong() from None


def _render_done(_: Endpoint | None, __: SetEndpoint, ___: Caller) -> WireResponse:
    return json_response(Done())


# Log

_STATUSES: Final = {
    DeliveryState.PENDING: "pending",
    DeliveryState.DELIVERED: "success",
    DeliveryState.FAILED: "fail",
}


def _parse_log(request: WireRequest) -> ListDeliveries:
    fields = Fields.of(request)
    return ListDeliveries(
        account_id=request.caller.account_id,
        format=webhook.FORMAT,
        page=fields.count("page", 1, PAGE_MAX),
        per_page=PER_PAGE,
    )


def render_log(page: DeliveryPage, command: ListDeliveries, _: Caller) -> WireResponse:
    _first, _last, last_page = page_places(command.page, command.per_page, len(page.deliveries), page.total)
    listed = [_entry(one) for one in page.deliveries]
    return json_response(
        LogAnswer(data=LogPage(command.page, command.per_page, page.total, last_page, listed))
    )


def _entry(delivery: Delivery) -> LogEntry:
    params = webhook.payload(delivery.facts)
    problem = delivery.problem
    if problem is None and delivery.status is not None and delivery.state is not DeliveryState.DELIVERED:
        problem = f"HTTP {delivery.status}"
    return LogEntry(
        id=delivery.id,
        type=params.webhook_type,
        user_id=params.user_id,
        webhook_url=delivery.url,
        params=params,
        status=_STATUSES[delivery.state],
        error=problem,
        created_at=names.moment(delivery.created_at),
    )


# Who am I


def _parse_me(request: WireRequest) -> str:
    """The host that was called: a client that asks goes on there."""
    return request.header(b"host") or "localhost"


def render_me(_: None, host: str, caller: Caller) -> WireResponse:
    return json_response(UserAnswer(user=User(caller.account_id, host)))


METHODS: Final = {
    **method(
        "getBalance",
        Action(
            "The wallet's balance",
            Scope.READ,
            _parse_balance,
            InTransaction(reports.purse),
            render_balance,
            BalanceAnswer,
            parameters=(Parameter("income", "Ignored: referral income is always told.", "boolean"),),
            refuses=(Refused.UNKNOWN_ACCOUNT,),
        ),
    ),
    **method(
        "getProfile",
        Action(
            "The account and its sums",
            Scope.READ,
            _parse_profile,
            InTransaction(_look),
            render_profile,
            ProfileAnswer,
            refuses=(Refused.MALFORMED, Refused.UNKNOWN_ACCOUNT),
        ),
    ),
    **method(
        "profile",
        Action(
            "Set the webhook's URL",
            Scope.ORDER,
            _parse_change,
            InTransaction(webhooks.set_endpoint),
            _render_done,
            Done,
            body=ProfileBody,
            parameters=(Parameter(_FORM_FIELD, "The URL; empty switches the webhook off."),),
            refuses=(Refused.MALFORMED,),
        ),
    ),
    **method(
        "webhook-logs",
        Action(
            "What was sent to the webhook, newest first",
            Scope.READ,
            _parse_log,
            InTransaction(webhooks.list_deliveries),
            render_log,
            LogAnswer,
            parameters=(Parameter("page", "From 1.", "integer"),),
            refuses=(Refused.MALFORMED,),
        ),
    ),
    **method(
        "user/me",
        Action("Who the key belongs to", Scope.READ, _parse_me, NoVerb(), render_me, UserAnswer),
    ),
}
