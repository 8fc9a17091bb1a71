"""The document of a dialect says what its tables say: no more, no less, and in valid OpenAPI 3.1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import msgspec
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from simyard.app import DIALECTS
from simyard.base.refusals import Refusal, Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.core.limits.model import Budget
from simyard.db.database import Tx
from simyard.edge.openapi import Json, describe, refusals_of
from simyard.edge.wire import (
    Action,
    BudgetEach,
    Dialect,
    EachInLane,
    InLane,
    InTransaction,
    KeyNeed,
    NoVerb,
    Parameter,
    RefusalTable,
    WireRequest,
    WireResponse,
    bearer,
    json_response,
)

DOOR = {
    Refused.NO_KEY,
    Refused.WRONG_KEY,
    Refused.KEY_DISABLED,
    Refused.KEY_SCOPE,
    Refused.ADDRESS_NOT_ALLOWED,
    Refused.ACCOUNT_SUSPENDED,
    Refused.ACCOUNT_LOCKED,
    Refused.BUSY,
    Refused.INTERNAL,
}
"""What any action can be refused for that wants a key."""

DOORS = {
    KeyNeed.REQUIRED: DOOR,
    KeyNeed.OPTIONAL: DOOR - {Refused.NO_KEY},
    KeyNeed.IGNORED: {Refused.INTERNAL},
}

Amount = Annotated[
    msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "number", "description": "In euros."})
]


class Failure(msgspec.Struct):
    problem: str


class Tree(msgspec.Struct):
    """A thing that holds things of its kind."""

    name: str
    children: list[Tree] = []


class Here(msgspec.Struct):
    value: Amount


class Gone(msgspec.Struct):
    since: int = msgspec.field(name="sinceSeconds", default=3)


class Found(msgspec.Struct):
    items: list[Here | Gone | None]
    tree: Tree | None = None


class Outer(msgspec.Struct):
    found: dict[str, Found]


class Wanted(msgspec.Struct):
    name: str
    tries: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1


def _parse_nothing(request: WireRequest) -> None:
    return None


def _render(result: object, command: object, caller: Caller) -> WireResponse:
    return json_response({})


async def _verb(tx: Tx, command: None) -> None:
    raise NotImplementedError


def _row(status: int, problem: str) -> Any:
    return lambda refusal, noun: json_response(Failure(problem), status)


def _wait(refusal: Refusal, noun: str) -> WireResponse:
    seconds = refusal.facts["seconds"]
    return json_response(
        Failure(f"too many of {noun}, wait {seconds}"), 429, ((b"retry-after", str(seconds).encode()),)
    )


REFUSALS = RefusalTable(
    {
        **{reason: _row(400, reason.value) for reason in Refused},
        **{reason: _row(401, reason.value) for reason in DOOR},
        Refused.OVER_BUDGET: _wait,
        Refused.UNKNOWN_LEASE: _row(404, "none"),
        Refused.UNKNOWN_SERVICE: _row(422, "none"),
        Refused.TOO_LARGE: _row(413, "large"),
        # A vendor that sees a success here, and one fact that has no sample.
        Refused.TOO_EARLY: lambda refusal, noun: json_response(
            {"items": [{"sinceSeconds": refusal.facts["never named"]}]}
        ),
        Refused.NO_NUMBERS: lambda refusal, noun: WireResponse(
            503, b"NONE", ((b"Content-Type", b"text/plain"),)
        ),
    }
)

DIALECT = Dialect(
    name="small",
    title="Small",
    prefix="/small",
    actions={
        ("GET", "/thing/{name}"): Action(
            "One thing",
            Scope.READ,
            _parse_nothing,
            InTransaction(_verb),
            _render,
            Found,
            value_description="The thing's name.",
            refuses=(Refused.UNKNOWN_SERVICE, Refused.UNKNOWN_LEASE, Refused.TOO_EARLY),
            budget=Budget("thing", 7, 30),
            noun="thing",
        ),
        ("DELETE", "/thing/{name}"): Action(
            "No thing",
            Scope.ORDER,
            _parse_nothing,
            InTransaction(_verb),
            _render,
            Outer,
            value_description="Its name.",
            refuses=(Refused.UNKNOWN_LEASE, Refused.TOO_EARLY, Refused.NO_NUMBERS),
        ),
        ("POST", "/things"): Action(
            "Things",
            Scope.ORDER,
            _parse_nothing,
            InLane(lambda lanes: lanes.order),
            _render,
            list[Here],
            refuses=(Refused.IDEMPOTENCY_KEY_REUSED,),
            body=Wanted,
            parameters=(Parameter("deep", "How deep", "integer", required=True),),
        ),
        ("GET", "/things"): Action(
            "Things", Scope.READ, _parse_nothing, EachInLane(lambda lanes: lanes.check), _render, Found | None
        ),
        ("GET", "/a-b"): Action("Alike", Scope.READ, _parse_nothing, NoVerb(), _render, Tree),
        ("GET", "/a_b"): Action("Alike", Scope.READ, _parse_nothing, NoVerb(), _render, Tree),
        ("GET", "/open"): Action(
            "Open to all",
            Scope.READ,
            _parse_nothing,
            NoVerb(),
            _render,
            Here | dict[str, Here],
            key=KeyNeed.OPTIONAL,
        ),
        ("POST", "/keyless"): Action(
            "Asks for no key",
            Scope.READ,
            _parse_nothing,
            NoVerb(),
            _render,
            Tree,
            body=Wanted,
            budget=Budget("keyless", 1, 5),
            budget_each=BudgetEach("thing", lambda headers, query_string, body: None),
            key=KeyNeed.IGNORED,
        ),
    },
    refusals=REFUSALS,
    find_key=lambda headers, query_string, body: bearer(headers),
    error=Failure,
)

EVERY = [DIALECT, *DIALECTS]
every_dialect = pytest.mark.parametrize("dialect", EVERY, ids=lambda dialect: dialect.name)


@pytest.fixture(scope="module")
def small() -> Json:
    return describe(DIALECT, version="1.2")


def operations(document: Json) -> Iterator[tuple[tuple[str, str], Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield (method.upper(), path), operation


def every_value(content: Any, key: str) -> Iterator[Any]:
    if isinstance(content, dict):
        if key in content:
            yield content[key]
        for inner in content.values():
            yield from every_value(inner, key)
    elif isinstance(content, list):
        for inner in content:
            yield from every_value(inner, key)


# Of every dialect


@every_dialect
def test_document_is_valid_openapi(dialect: Dialect) -> None:
    document = json.loads(json.dumps(describe(dialect, version="1")))
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


@every_dialect
def test_document_has_every_action_and_nothing_else(dialect: Dialect) -> None:
    found = dict(operations(describe(dialect, version="1")))
    assert set(found) == {(method, dialect.prefix + path) for method, path in dialect.actions}
    for (method, path), action in dialect.actions.items():
        assert found[method, dialect.prefix + path]["summary"] == action.summary


@every_dialect
def test_operation_ids_are_unique(dialect: Dialect) -> None:
    found = [operation["operationId"] for _, operation in operations(describe(dialect, version="1"))]
    assert len(set(found)) == len(found)


@every_dialect
def test_references_lead_somewhere(dialect: Dialect) -> None:
    document = describe(dialect, version="1")
    names = {reference.removeprefix("#/components/schemas/") for reference in every_value(document, "$ref")}
    assert names <= set(document["components"]["schemas"])


@every_dialect
def test_document_is_the_same_each_time(dialect: Dialect) -> None:
    first, second = (json.dumps(describe(dialect, version="1")) for _ in range(2))
    assert first == second


@every_dialect
def test_statuses_are_sorted_and_are_those_of_the_rows(dialect: Dialect) -> None:
    for (method, path), operation in operations(describe(dialect, version="1")):
        action = dialect.actions[method, path.removeprefix(dialect.prefix)]
        statuses = list(operation["responses"])
        assert statuses == sorted(statuses)
        told = {
            name: status
            for status, response in operation["responses"].items()
            for media in response["content"].values()
            for name in media.get("examples", {})
        }
        met = refusals_of(action) & set(dialect.refusals.rows)
        assert set(told) == {reason.value for reason in met}
        assert set(statuses) == {str(action.success_status), *told.values()}


@every_dialect
def test_every_action_can_be_refused_at_the_door(dialect: Dialect) -> None:
    for action in dialect.actions.values():
        refusals = refusals_of(action)
        assert refusals >= DOORS[action.key]
        assert action.key is KeyNeed.REQUIRED or Refused.NO_KEY not in refusals
        # Logins count by themselves.
        counted = action.budget is not None or Refused.OVER_BUDGET in action.refuses
        assert (Refused.OVER_BUDGET in refusals) == counted
        assert (Refused.TOO_LARGE in refusals) >= (action.body is not None)


@every_dialect
def test_examples_fit_their_schemas(dialect: Dialect) -> None:
    document = describe(dialect, version="1")
    for _, operation in operations(document):
        for response in operation["responses"].values():
            for media in response["content"].values():
                # The components come along, where the schema's references point.
                schema = {**media["schema"], "components": document["components"]}
                for example in media.get("examples", {}).values():
                    Draft202012Validator(schema).validate(example["value"])


# Of the small one


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (
            ("GET", "/thing/{name}"),
            {Refused.UNKNOWN_SERVICE, Refused.UNKNOWN_LEASE, Refused.TOO_EARLY, Refused.OVER_BUDGET},
        ),
        (("DELETE", "/thing/{name}"), {Refused.UNKNOWN_LEASE, Refused.TOO_EARLY, Refused.NO_NUMBERS}),
        (("GET", "/things"), set()),
        (("GET", "/a-b"), set()),
    ],
)
def test_an_action_meets_what_it_says_and_what_everyone_meets(
    place: tuple[str, str], expected: set[Refused]
) -> None:
    assert refusals_of(DIALECT.actions[place]) == DOOR | expected


def test_a_budget_is_told_where_it_is_exceeded(small: Json) -> None:
    response = small["paths"]["/small/thing/{name}"]["get"]["responses"]["429"]
    assert "7 requests in 30 seconds" in response["description"]
    assert response["headers"]["Retry-After"] == {"schema": {"type": "integer"}, "example": 43}
    assert response["content"]["application/json"]["examples"]["over_budget"]["value"] == {
        "problem": "too many of thing, wait 43"
    }
    assert "429" not in small["paths"]["/small/things"]["post"]["responses"]


def test_parameters_are_described(small: Json) -> None:
    (name,) = small["paths"]["/small/thing/{name}"]["get"]["parameters"]
    assert (name["name"], name["in"], name["required"]) == ("name", "path", True)
    assert name["description"] == "The thing's name."
    deep, idempotency_key = small["paths"]["/small/things"]["post"]["parameters"]
    assert (deep["name"], deep["in"], deep["required"]) == ("deep", "query", True)
    assert deep["schema"] == {"type": "integer"}
    assert (idempotency_key["name"], idempotency_key["in"]) == ("Idempotency-Key", "header")


def test_body_is_described(small: Json) -> None:
    body = small["paths"]["/small/things"]["post"]["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Wanted"}
    assert "requestBody" not in small["paths"]["/small/things"]["get"]


def test_union_of_structs_without_tags_is_described(small: Json) -> None:
    schemas = small["components"]["schemas"]
    assert schemas["Found"]["properties"]["items"]["items"]["anyOf"] == [
        {"$ref": "#/components/schemas/Here"},
        {"$ref": "#/components/schemas/Gone"},
        {"type": "null"},
    ]
    assert schemas["Found"]["required"] == ["items"]
    assert schemas["Here"]["properties"]["value"]["type"] == "number"
    assert schemas["Gone"]["properties"]["sinceSeconds"]["default"] == 3
    assert schemas["Outer"]["properties"]["found"]["additionalProperties"] == {
        "$ref": "#/components/schemas/Found"
    }


def test_refusal_a_vendor_sees_as_success_has_the_schema_of_the_answer(small: Json) -> None:
    success = small["paths"]["/small/thing/{name}"]["get"]["responses"]["200"]
    media = success["content"]["application/json"]
    assert media["schema"] == {"$ref": "#/components/schemas/Found"}
    assert set(media["examples"]) == {"too_early"}


def test_refusal_that_is_not_json_is_described(small: Json) -> None:
    response = small["paths"]["/small/thing/{name}"]["delete"]["responses"]["503"]
    assert response["content"]["text/plain"]["examples"]["no_numbers"]["value"] == "NONE"


def test_keys_are_where_the_dialect_finds_them(small: Json) -> None:
    assert small["security"] == [{"bearer": []}]
    assert small["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_what_needs_no_key_says_so(small: Json) -> None:
    assert small["paths"]["/small/open"]["get"]["security"] == [{}, {"bearer": []}]
    assert small["paths"]["/small/keyless"]["post"]["security"] == [{}]
    assert "security" not in small["paths"]["/small/things"]["get"]


def test_a_budget_for_each_of_something_says_of_what(small: Json) -> None:
    description = small["paths"]["/small/keyless"]["post"]["description"]
    assert "1 request in 5 seconds for each thing" in description


def test_union_of_a_struct_and_a_map_of_it_is_described(small: Json) -> None:
    media = small["paths"]["/small/open"]["get"]["responses"]["200"]["content"]["application/json"]
    here = {"$ref": "#/components/schemas/Here"}
    assert media["schema"]["anyOf"][:2] == [here, {"type": "object", "additionalProperties": here}]


def test_bodies_may_be_written_in_several_ways() -> None:
    document = describe(replace(DIALECT, body_types=("application/json", "text/x")), version="1")
    content = document["paths"]["/small/things"]["post"]["requestBody"]["content"]
    assert content["text/x"] == content["application/json"]


# Of the real ones: what their verbs promise is there


@pytest.mark.parametrize(
    ("name", "place", "reasons"),
    [
        (
            "server7",
            ("POST", "/purchase"),
            {Refused.UNKNOWN_COUNTRY, Refused.NO_NUMBERS, Refused.INSUFFICIENT_FUNDS},
        ),
        (
            "server7",
            ("POST", "/cancel/{activation_id}"),
            {Refused.UNKNOWN_LEASE, Refused.TOO_EARLY, Refused.CODE_RECEIVED},
        ),
        ("server7", ("GET", "/history"), {Refused.MALFORMED}),
        ("onlinesim", ("GET", "/getNum"), {Refused.NO_NUMBERS, Refused.IDEMPOTENCY_KEY_REUSED}),
        (
            "onlinesim",
            ("POST", "/setOperationOk"),
            {Refused.OVER_BUDGET, Refused.TOO_EARLY, Refused.TOO_LARGE},
        ),
        ("onlinesim_reseller_v2", ("POST", "/addMessage"), {Refused.UNKNOWN_NUMBER, Refused.MALFORMED}),
        ("onlinesim_reseller_v2", ("POST", "/sendNumbersOnline"), {Refused.UNKNOWN_POOL, Refused.TOO_LARGE}),
    ],
)
def test_refusals_of_real_actions(name: str, place: tuple[str, str], reasons: set[Refused]) -> None:
    (dialect,) = (one for one in DIALECTS if one.name == name)
    assert refusals_of(dialect.actions[place]) >= reasons
