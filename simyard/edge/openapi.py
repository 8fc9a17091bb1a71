"""The OpenAPI 3.1 document of a dialect, generated from the tables that serve it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

import msgspec

from simyard.base.refusals import Refusal, Refused
from simyard.core.activations.machine import State
from simyard.edge.wire import (
    JSON_TYPE,
    Action,
    Dialect,
    EachInLane,
    InLane,
    KeyNeed,
    Parameter,
    WireResponse,
)

Json: TypeAlias = dict[str, Any]

OPENAPI_VERSION: Final = "3.1.0"
SUCCESS: Final = 200
_SCHEMAS = "#/components/schemas/"

SAMPLES: Final[Mapping[str, object]] = {
    "activation_id": 32886,
    "available": 14250000,
    "bytes_max": 1048576,
    "code": "847261",
    "country": "US",
    "currency": "USD",
    "email": "buyer@example.com",
    "field": "country",
    "msisdn": "+19401234567",
    "number": "+19401234567",
    "problem": "The country field is required.",
    "refunded": 1083000,
    "seconds": 43,
    "sender": "WhatsApp",
    "service": "whatsapp",
    "service_label": "WhatsApp 3",
    "state": State.CANCELED,
    "text": "Your code is 847261",
}
"""What examples say for a fact or a field of this name."""


def describe(dialect: Dialect, *, version: str, server_url: str = "/") -> Json:
    """The document. The same tables give the same document, down to the order of its keys."""
    types = [
        dialect.error,
        *(kind for action in dialect.actions.values() for kind in (action.answer, action.body)),
    ]
    shapes, components = _shapes([kind for kind in types if kind is not None])
    described = _Described(dialect, shapes, components)
    keys = _keys(dialect)
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": dialect.title, "version": version, "description": _introduction(dialect)},
        "servers": [{"url": server_url}],
        "security": [{name: []} for name in keys],
        "paths": _paths(described),
        "components": {"schemas": components, "securitySchemes": keys},
    }


@dataclass(frozen=True, slots=True)
class _Shape:
    """A type msgspec can read, and its schema."""

    kind: Any
    schema: Json


@dataclass(frozen=True, slots=True)
class _Described:
    """A dialect, the shape of each type its tables name, and the named schemas these refer to.

    Types are looked up by identity: not every annotation has a hash.
    """

    dialect: Dialect
    shapes: Mapping[int, _Shape]
    components: Mapping[str, Json]

    def shape(self, kind: Any) -> _Shape | None:
        return self.shapes.get(id(kind))


def _introduction(dialect: Dialect) -> str:
    return f"{dialect.description}\n\nKey: {dialect.key_description}.".strip()


# Types


def _shapes(types: Sequence[Any]) -> tuple[dict[int, _Shape], dict[str, Json]]:
    twins = _Twins()
    kinds = [twins.of(kind) for kind in types]
    every = [*kinds, *twins.alternatives]
    schemas, components = msgspec.json.schema_components(every, ref_template=_SCHEMAS + "{name}")
    shapes = {
        id(given): _Shape(kind, schema)
        for given, kind, schema in zip(types, kinds, schemas[: len(kinds)], strict=True)
    }
    return shapes, components


class _Twins:
    """Types as msgspec can describe them: it refuses a union of objects without tags, which vendors do answer with.

    A struct that holds such a union gets a twin that holds its schema. `alternatives` are the structs the schemas
    refer to.
    """

    def __init__(self) -> None:
        self.alternatives: list[Any] = []
        self._twins: dict[type[msgspec.Struct], type[msgspec.Struct]] = {}

    def of(self, kind: Any) -> Any:
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self._of_struct(kind)
        origin, given = get_origin(kind), get_args(kind)
        if origin is None or origin is Literal:
            return kind
        if origin is Annotated:
            twin = self.of(given[0])
            return kind if twin is given[0] else Annotated[(twin, *given[1:])]
        arguments = tuple(self.of(one) for one in given)
        if origin in (Union, UnionType):
            structs = [one for one in arguments if _is_untagged(one)]
            objects = [one for one in arguments if get_origin(one) is dict]
            if len(structs) + len(objects) > 1:
                return self._any_of(structs, [one for one in arguments if one not in structs])
        if all(twin is one for twin, one in zip(arguments, given, strict=True)):
            return kind
        return Union[arguments] if origin is UnionType else origin[arguments]  # noqa: UP007

    def _any_of(self, structs: Sequence[Any], others: Sequence[Any]) -> Any:
        self.alternatives += structs
        choices: list[Json] = [{"$ref": _SCHEMAS + one.__name__} for one in structs]
        choices += msgspec.json.schema_components(others, ref_template=_SCHEMAS + "{name}")[0]
        return Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"anyOf": choices})]

    def _of_struct(self, kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
        if kind not in self._twins:
            # A struct that holds itself meets itself here.
            self._twins[kind] = kind
            fields = msgspec.structs.fields(kind)
            twins = [self.of(field.type) for field in fields]
            if any(twin is not field.type for twin, field in zip(twins, fields, strict=True)):
                self._twins[kind] = _twin(kind, fields, twins)
        return self._twins[kind]


def _is_untagged(kind: Any) -> bool:
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return False
    return kind.__struct_config__.tag is None


def _twin(
    kind: type[msgspec.Struct], fields: Sequence[msgspec.structs.FieldInfo], types: Sequence[Any]
) -> type[msgspec.Struct]:
    """The same struct with other types of its fields."""
    config = kind.__struct_config__
    return msgspec.defstruct(
        kind.__name__,
        [(field.name, given, _default(field)) for field, given in zip(fields, types, strict=True)],
        namespace={"__doc__": kind.__doc__},
        module=kind.__module__,
        kw_only=True,
        tag=config.tag,
        tag_field=config.tag_field,
        forbid_unknown_fields=config.forbid_unknown_fields,
    )


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return msgspec.field(default=field.default, name=field.encode_name)
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory, name=field.encode_name)
    return msgspec.field(name=field.encode_name)


# Keys

_QUERY_NAMES = ("apikey", "api_key", "key", "token")


def _keys(dialect: Dialect) -> dict[str, Json]:
    """Where the dialect finds a key, learned by showing it one in each place the format can describe."""
    keys: dict[str, Json] = {}
    if dialect.find_key({b"authorization": b"Bearer sample"}, b"", b"") == "sample":
        keys["bearer"] = {"type": "http", "scheme": "bearer", "description": dialect.key_description}
    for name in _QUERY_NAMES:
        if dialect.find_key({}, f"{name}=sample".encode(), b"") == "sample":
            keys[name] = {
                "type": "apiKey",
                "in": "query",
                "name": name,
                "description": dialect.key_description,
            }
    return keys


# Operations


def _paths(described: _Described) -> dict[str, Json]:
    paths: dict[str, Json] = {}
    taken: set[str] = set()
    for (method, path), action in described.dialect.actions.items():
        operation_id = _operation_id(method, path, taken)
        operations = paths.setdefault(described.dialect.prefix + path, {})
        operations[method.lower()] = _operation(described, path, action, operation_id)
    return paths


def _operation_id(method: str, path: str, taken: set[str]) -> str:
    stem = re.sub(r"[^a-z0-9]+", "_", f"{method} {path}", flags=re.IGNORECASE).strip("_")
    name = stem[: len(method)].lower() + stem[len(method) :]
    twin = 1
    while name in taken:
        twin += 1
        name = f"{name.removesuffix(f'_{twin - 1}')}_{twin}"
    taken.add(name)
    return name


def _operation(described: _Described, path: str, action: Action, operation_id: str) -> Json:
    met = refusals_of(action)
    refusals = [reason for reason in Refused if reason in met and reason in described.dialect.refusals.rows]
    operation: Json = {
        "summary": action.summary,
        "description": " ".join((_key_need(described.dialect, action), *_budget(action))),
        "operationId": operation_id,
    }
    if action.key is not KeyNeed.REQUIRED:
        # The empty requirement says that none is needed; others beside it, that a key may be shown.
        keys = _keys(described.dialect) if action.key is KeyNeed.OPTIONAL else {}
        operation["security"] = [{}, *({name: []} for name in keys)]
    parameters = [
        *(_path_parameter(name, action) for name in re.findall(r"\{([^}]+)\}", path)),
        *(_query_parameter(parameter) for parameter in action.parameters),
    ]
    if Refused.IDEMPOTENCY_KEY_REUSED in refusals:
        parameters.append(_idempotency_key())
    if parameters:
        operation["parameters"] = parameters
    if action.body is not None:
        schema = described.shapes[id(action.body)].schema
        operation["requestBody"] = {
            "required": bool(_resolved(schema, described.components).get("required")),
            "content": {name: {"schema": schema} for name in described.dialect.body_types},
        }
    operation["responses"] = _responses(described, action, refusals)
    return operation


def _key_need(dialect: Dialect, action: Action) -> str:
    if dialect.takes_access_tokens and action.key is KeyNeed.REQUIRED:
        return "Needs an access token."
    return _KEY_NEEDS[action.key].format(scope=action.scope)


_KEY_NEEDS: Final = {
    KeyNeed.REQUIRED: "The key must have the scope `{scope}`.",
    KeyNeed.OPTIONAL: "Needs no key; one that is shown must be good and have the scope `{scope}`.",
    KeyNeed.IGNORED: "Needs no key.",
}


def _budget(action: Action) -> tuple[str, ...]:
    if action.budget is None:
        return ()
    requests, seconds = action.budget.requests, action.budget.window_seconds
    noun = "request" if requests == 1 else "requests"
    each = f" for each {action.budget_each.name}" if action.budget_each is not None else ""
    return (
        f"An account may send {requests} {noun} in {seconds} seconds{each}, unless the operator scales that.",
    )


def _path_parameter(name: str, action: Action) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": action.value_description,
        "schema": {"type": "string"},
    }


def _query_parameter(parameter: Parameter) -> Json:
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.description,
        "schema": {"type": parameter.type},
    }


def _idempotency_key() -> Json:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Makes it safe to repeat the request: the same key gets the same outcome and pays once.",
        "schema": {"type": "string"},
    }


def _resolved(schema: Json, components: Mapping[str, Json]) -> Json:
    reference = schema.get("$ref")
    return schema if reference is None else components[reference.removeprefix(_SCHEMAS)]


# Responses


def _responses(described: _Described, action: Action, refusals: Sequence[Refused]) -> dict[str, Json]:
    """One response for each status, lowest first, with what the dialect's rows say under it."""
    said: dict[int, list[tuple[Refused, WireResponse]]] = defaultdict(list, {action.success_status: []})
    for reason in refusals:
        response = described.dialect.refusals.render(_sample_refusal(reason), action.noun)
        said[response.status].append((reason, response))
    return {str(status): _response(described, action, status, said[status]) for status in sorted(said)}


def _response(
    described: _Described, action: Action, status: int, said: Sequence[tuple[Refused, WireResponse]]
) -> Json:
    sentences = ["Done."] if status == action.success_status else []
    if said:
        sentences.append(f"Refused: {', '.join(words(reason) for reason, _ in said)}.")
    if any(reason is Refused.OVER_BUDGET for reason, _ in said):
        sentences += _budget(action)
    response: Json = {"description": " ".join(sentences)}
    headers = {name: header for _, one in said for name, header in _headers(one).items()}
    if headers:
        response["headers"] = headers
    content: dict[str, Json] = {}
    if status == action.success_status:
        shape = described.shape(action.answer)
        content[JSON_TYPE.decode()] = _media([{} if shape is None else shape.schema], {})
    for content_type in dict.fromkeys(_content_type(one) for _, one in said):
        here = [(reason, one) for reason, one in said if _content_type(one) == content_type]
        found = [_schema_of(described, action, one) for _, one in here]
        if content_type in content:
            found.insert(0, content[content_type]["schema"])
        examples = {
            reason.value: {"summary": words(reason).capitalize(), "value": _value(one)}
            for reason, one in here
        }
        content[content_type] = _media(found, examples)
    response["content"] = content
    return response


def _media(schemas: Sequence[Json], examples: Json) -> Json:
    distinct: list[Json] = []
    for schema in schemas:
        if schema not in distinct:
            distinct.append(schema)
    media: Json = {"schema": distinct[0] if len(distinct) == 1 else {"anyOf": distinct}}
    if examples:
        media["examples"] = examples
    return media


def _schema_of(described: _Described, action: Action, response: WireResponse) -> Json:
    """What a refusal is told in: as an error, or, where the vendor sees no error in it, as the action's answer."""
    for kind in (described.dialect.error, action.answer):
        shape = described.shape(kind)
        if shape is not None and _fits(response.body, shape.kind):
            return shape.schema
    return {}


def _fits(body: bytes, kind: Any) -> bool:
    try:
        msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _value(response: WireResponse) -> Any:
    try:
        return msgspec.json.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return response.body.decode("utf-8", "replace")


def _content_type(response: WireResponse) -> str:
    given = {name.lower(): value for name, value in response.headers}
    return given.get(b"content-type", JSON_TYPE).partition(b";")[0].strip().decode("latin-1")


def _headers(response: WireResponse) -> dict[str, Json]:
    headers: dict[str, Json] = {}
    for name, value in response.headers:
        if name.lower() == b"content-type":
            continue
        text = value.decode("latin-1")
        schema = {"type": "integer"} if text.isdigit() else {"type": "string"}
        headers[name.decode("latin-1").title()] = {
            "schema": schema,
            "example": int(text) if text.isdigit() else text,
        }
    return headers


_WORDS = {
    Refused.KEY_SCOPE: "the key may not do this",
    Refused.ADDRESS_NOT_ALLOWED: "the key may not be used from this address",
    Refused.OVER_BUDGET: "over the budget",
    Refused.MALFORMED: "the request cannot be read",
    Refused.TOO_LARGE: "the body is too large",
    Refused.NOT_PRICED: "not sold there now",
    Refused.IDEMPOTENCY_KEY_REUSED: "the idempotency key was used for another request",
    Refused.CODE_RECEIVED: "the code has come",
    Refused.LEASE_CLOSED: "closed already",
    Refused.NO_RATE: "no exchange rate",
    Refused.UPSTREAM_FAILED: "the supplier failed",
    Refused.BUSY: "the platform is busy",
    Refused.INTERNAL: "the platform failed",
}


def words(reason: Refused) -> str:
    """A reason as a reader would say it."""
    return _WORDS.get(reason, reason.value.replace("_", " "))


class _Facts(dict[str, object]):
    """Facts for a row that is only asked what it would say: a fact without a sample is the number 1."""

    def __missing__(self, name: str) -> object:
        return 1


def _sample_refusal(reason: Refused) -> Refusal:
    refusal = Refusal(reason)
    refusal.facts = _Facts(SAMPLES)
    return refusal


def refusals_of(action: Action) -> frozenset[Refused]:
    """The reasons a whole request can be refused for. What befalls one of its many commands is told in the answer."""
    met = {*_DOOR[action.key], *action.refuses}
    if isinstance(action.verb, InLane | EachInLane):
        met.add(Refused.BUSY)
    if action.budget is not None:
        met.add(Refused.OVER_BUDGET)
    if action.body is not None:
        # The runner reads and unpacks the body.
        met |= {Refused.TOO_LARGE, Refused.MALFORMED}
    return frozenset(met)


# What every request may meet before its action is looked at. Admission is a lane, so it can be full.
_SHOWN_KEY: Final = (
    Refused.WRONG_KEY,
    Refused.KEY_DISABLED,
    Refused.KEY_SCOPE,
    Refused.ADDRESS_NOT_ALLOWED,
    Refused.ACCOUNT_SUSPENDED,
    Refused.ACCOUNT_LOCKED,
    Refused.BUSY,
    Refused.INTERNAL,
)
_DOOR: Final[Mapping[KeyNeed, tuple[Refused, ...]]] = {
    KeyNeed.REQUIRED: (Refused.NO_KEY, *_SHOWN_KEY),
    KeyNeed.OPTIONAL: _SHOWN_KEY,
    KeyNeed.IGNORED: (Refused.INTERNAL,),
}
