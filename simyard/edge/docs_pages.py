"""`/docs`: reference pages for whoever calls a dialect, rendered from the documents that describe the dialects."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, LiteralString
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

import simyard
from simyard.edge.openapi import SAMPLES, SUCCESS, Json, describe
from simyard.edge.wire import Dialect

_SAMPLE_DEPTH_MAX = 6
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_HEADERS: Final = {
    # A proxy or browser may keep a page, but asks whether it is still the one before it shows it.
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def routes(dialects: Sequence[Dialect]) -> list[BaseRoute]:
    """The index, a page and a document for each dialect, and their style sheet."""
    pages: dict[str, _Page] = {}
    documents: dict[str, _Page] = {}
    described = [(dialect, describe(dialect, version=simyard.__version__)) for dialect in dialects]
    for dialect, document in described:
        content = json.dumps(document, ensure_ascii=False, indent=2).encode()
        pages[dialect.name] = _page(_dialect_page(dialect, document))
        documents[dialect.name] = _Page(content, "application/json")
    index = _page(_index_page(described))
    missing = _page(_missing_page())
    style = _Page(files("simyard.edge").joinpath("docs_pages.css").read_bytes(), "text/css; charset=utf-8")

    async def show_index(request: Request) -> Response:
        return index.answer(request)

    async def show_style(request: Request) -> Response:
        return style.answer(request)

    async def show_dialect(request: Request) -> Response:
        page = pages.get(request.path_params["dialect"])
        return missing.answer(request, 404) if page is None else page.answer(request)

    async def show_document(request: Request) -> Response:
        document = documents.get(request.path_params["dialect"])
        return missing.answer(request, 404) if document is None else document.answer(request)

    return [
        Route("/docs", show_index),
        Route("/docs/pages.css", show_style),
        Route("/docs/{dialect}", show_dialect),
        Route("/docs/{dialect}/openapi.json", show_document),
    ]


class _Page:
    """Bytes that stay the same as long as the process runs, and their ETag."""

    def __init__(self, content: bytes, content_type: str) -> None:
        self.content = content
        self.headers = {
            **_HEADERS,
            "content-type": content_type,
            "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        }

    def answer(self, request: Request, status: int = 200) -> Response:
        known = {
            tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")
        }
        if status == SUCCESS and (self.headers["etag"] in known or "*" in known):
            headers = {name: value for name, value in self.headers.items() if name != "content-type"}
            return Response(status_code=304, headers=headers)
        return Response(self.content, status, self.headers)


# Statuses that say that it was done begin so.
_DONE = "2"


# HTML


@dataclass(frozen=True, slots=True)
class Html:
    """Text that is HTML already. Everything else is escaped on its way into a template."""

    text: str


def fill(template: LiteralString, **values: str | int | Html) -> Html:
    """A template with `{name}` where values go."""
    safe = {
        name: value.text if isinstance(value, Html) else html.escape(str(value))
        for name, value in values.items()
    }
    return Html(template.format_map(safe))


def joined(parts: Iterable[Html]) -> Html:
    return Html("".join(part.text for part in parts))


_NOTHING = Html("")

_FRAME: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Simyard</title>
<link rel="stylesheet" href="/docs/pages.css">
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top"><strong>Simyard</strong><nav aria-label="Site"><a href="/docs">API reference</a></nav></header>
<div class="{layout}">
{contents}
<main id="content">
{main}
</main>
</div>
<footer>Simyard {version}</footer>
</body>
</html>
"""


def _frame(title: str, main: Html, contents: Html = _NOTHING) -> Html:
    return fill(
        _FRAME,
        title=title,
        main=main,
        contents=contents,
        layout="page with-contents" if contents.text else "page",
        version=simyard.__version__,
    )


def _page(page: Html) -> _Page:
    return _Page(page.text.encode(), "text/html; charset=utf-8")


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Html]]) -> Html:
    """A table whose rows are named by their first cell. It scrolls by itself where the page is narrow."""
    return fill(
        '<div class="scroll" role="region" aria-label="{caption}" tabindex="0">\n<table><caption>{caption}</caption>\n'
        "<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n",
        caption=caption,
        head=joined(fill('<th scope="col">{name}</th>', name=name) for name in head),
        rows=joined(_row(row) for row in rows),
    )


def _row(cells: Sequence[Html]) -> Html:
    rest = joined(fill("<td>{cell}</td>", cell=cell) for cell in cells[1:])
    return fill('<tr><th scope="row">{name}</th>{rest}</tr>\n', name=cells[0], rest=rest)


def _code(text: str) -> Html:
    return fill("<code>{text}</code>", text=text)


def _text(text: str) -> Html:
    """Text in which `code` stands between backticks."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return fill("{text}", text=text)
    return joined(_code(part) if place % 2 else fill("{part}", part=part) for place, part in enumerate(parts))


def _block(text: str) -> Html:
    return fill('<pre tabindex="0"><code>{text}</code></pre>\n', text=text)


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


# The index


def _index_page(described: Sequence[tuple[Dialect, Json]]) -> Html:
    main = fill(
        "<h1>API reference</h1>\n"
        "<p class=\"lead\">A dialect is one vendor's protocol, served at the vendor's own paths: a program written for it "
        "works after its host name is changed.</p>\n"
        '<section aria-labelledby="how"><h2 id="how">How to call it</h2>\n<ol>\n'
        "<li>Get an API key from whoever runs this server.</li>\n"
        "<li>Send it with every request. Most dialects take it as <code>Authorization: Bearer &lt;key&gt;</code>.</li>\n"
        "<li>Choose a dialect below. Its page shows every endpoint with its whole path.</li>\n"
        "<li>Where an endpoint takes an <code>Idempotency-Key</code> header, send a new one with each order: repeating "
        "the request under it cannot pay twice.</li>\n</ol>\n"
        "<p>{shell}</p>\n{setup}</section>\n"
        '<section aria-labelledby="dialects"><h2 id="dialects">Dialects</h2>\n{cards}</section>\n',
        shell=_SHELL,
        setup=_block(_SETUP),
        cards=joined(_card(dialect, document) for dialect, document in described),
    )
    return _frame("API reference", main)


_SHELL: Final = "The examples run in a shell that knows the server and your key:"
_SETUP: Final = "export SIMYARD=http://127.0.0.1:8000\nexport KEY=your-api-key"


def _card(dialect: Dialect, document: Json) -> Html:
    return fill(
        '<article class="card"><h3><a href="/docs/{path}">{title}</a></h3>\n<p>{description}</p>\n'
        '<dl class="facts"><dt>Base path</dt><dd>{prefix}</dd><dt>Key</dt><dd>{key}</dd>'
        '<dt>Endpoints</dt><dd>{count}</dd><dt>OpenAPI</dt><dd><a href="/docs/{path}/openapi.json">'
        "openapi.json of {title}</a></dd></dl></article>\n",
        path=quote(dialect.name, safe=""),
        title=dialect.title,
        description=_text(dialect.description),
        prefix=_code(dialect.prefix),
        key=_text(dialect.key_description),
        count=len(list(_operations(document))),
    )


def _missing_page() -> Html:
    return _frame(
        "Not found",
        Html(
            '<h1>There is no such page</h1>\n<p>The <a href="/docs">API reference</a> lists every dialect.</p>'
        ),
    )


# A dialect


@dataclass(frozen=True, slots=True)
class _Operation:
    path: str
    method: str
    content: Json

    @property
    def anchor(self) -> str:
        return f"operation-{self.content['operationId']}"


def _operations(document: Json) -> Iterator[_Operation]:
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                yield _Operation(path, method, operations[method])


def _dialect_page(dialect: Dialect, document: Json) -> Html:
    operations = list(_operations(document))
    schemas: dict[str, Json] = document["components"]["schemas"]
    main = fill(
        '<h1>{title}</h1>\n<p class="lead">{description}</p>\n'
        '<dl class="facts"><dt>Base path</dt><dd>{prefix}</dd><dt>Key</dt><dd>{key}</dd>'
        '<dt>OpenAPI 3.1</dt><dd><a href="/docs/{path}/openapi.json">openapi.json</a></dd></dl>\n'
        "<p>{shell}</p>\n{setup}"
        '<section aria-labelledby="endpoints"><h2 id="endpoints">Endpoints</h2>\n{operations}</section>\n'
        '<section aria-labelledby="schemas"><h2 id="schemas">Schemas</h2>\n{schemas}</section>\n',
        title=dialect.title,
        description=_text(dialect.description),
        prefix=_code(dialect.prefix),
        key=_text(dialect.key_description),
        path=quote(dialect.name, safe=""),
        shell=_SHELL,
        setup=_block(_SETUP),
        operations=joined(_operation(document, one) for one in operations),
        schemas=joined(_schema(name, schema) for name, schema in schemas.items()),
    )
    return _frame(dialect.title, main, _contents(dialect, operations, schemas))


def _contents(dialect: Dialect, operations: Sequence[_Operation], schemas: Mapping[str, Json]) -> Html:
    return fill(
        '<nav class="contents" aria-label="On this page"><h2>Endpoints</h2>\n<ul>\n{operations}</ul>\n'
        '<div class="of-schemas"><h2>Schemas</h2>\n<ul>\n{schemas}</ul></div></nav>',
        operations=joined(
            fill(
                '<li><a href="#{anchor}"><span class="method">{method}</span> {path}</a></li>\n',
                anchor=one.anchor,
                method=one.method.upper(),
                path=one.path.removeprefix(dialect.prefix),
            )
            for one in operations
        ),
        schemas=joined(fill('<li><a href="#schema-{name}">{name}</a></li>\n', name=name) for name in schemas),
    )


def _operation(document: Json, operation: _Operation) -> Html:
    content = operation.content
    return fill(
        '<section class="card" id="{anchor}" aria-labelledby="{anchor}-title">\n'
        '<h3 id="{anchor}-title"><span class="method">{method}</span> <code>{path}</code></h3>\n'
        "<p>{summary}.</p>\n<p>{description}</p>\n{parameters}{body}<h4>Try it</h4>\n{curl}{answers}</section>\n",
        anchor=operation.anchor,
        method=operation.method.upper(),
        path=operation.path,
        summary=_text(content["summary"].rstrip(".")),
        description=_text(content["description"]),
        parameters=_parameters(content.get("parameters", ())),
        body=_body(document, content),
        curl=_block(_curl(document, operation)),
        answers=_answers(document, content),
    )


def _parameters(parameters: Sequence[Json]) -> Html:
    if not parameters:
        return _NOTHING
    return _table(
        "Parameters",
        ("Name", "In", "Type", "Required", "Description"),
        (
            (
                _code(one["name"]),
                fill("{place}", place=one["in"]),
                _type(one["schema"]),
                fill("{required}", required="yes" if one["required"] else "no"),
                _text(one.get("description", "")),
            )
            for one in parameters
        ),
    )


def _body(document: Json, content: Json) -> Html:
    if "requestBody" not in content:
        return _NOTHING
    schema = content["requestBody"]["content"]["application/json"]["schema"]
    return fill(
        "<h4>Body</h4>\n<p>JSON: {kind}</p>\n{fields}",
        kind=_type(schema),
        fields=_fields("Body", _resolved(document, schema)),
    )


def _answers(document: Json, content: Json) -> Html:
    rows: list[tuple[Html, Html, Html]] = []
    examples: list[Html] = []
    for status, response in content["responses"].items():
        mark = fill(
            '<span class="{mark}">{status}</span>', mark="good" if status < "400" else "bad", status=status
        )
        kinds = joined(_type(media["schema"]) for media in response["content"].values())
        rows.append((mark, _text(response["description"]), kinds))
        if status.startswith(_DONE):
            done = _sample(document, response["content"]["application/json"]["schema"])
            examples.append(_example(status, "Done", done, is_open=True))
        for media in response["content"].values():
            examples += (
                _example(status, example["summary"], example["value"])
                for example in media.get("examples", {}).values()
            )
    table = _table("Answers", ("Status", "Meaning", "Content"), rows)
    return fill("{table}<h4>Example answers</h4>\n{examples}", table=table, examples=joined(examples))


def _example(status: str, summary: str, value: Any, *, is_open: bool = False) -> Html:
    return fill(
        "<details{open}><summary>{status}: {summary}</summary>\n{block}</details>\n",
        open=Html(" open" if is_open else ""),
        status=status,
        summary=summary,
        block=_block(_pretty(value)),
    )


# Schemas


def _schema(name: str, schema: Json) -> Html:
    return fill(
        '<section class="card" id="schema-{name}" aria-labelledby="schema-{name}-title">'
        '<h3 id="schema-{name}-title">{name}</h3>\n<p>{description}</p>\n{fields}</section>\n',
        name=name,
        description=_text(schema.get("description", "")),
        fields=_fields(f"Fields of {name}", schema) if "properties" in schema else _type(schema),
    )


def _fields(caption: str, schema: Json) -> Html:
    required = schema.get("required", ())
    rows = [
        (
            _code(name),
            _type(field),
            fill("{required}", required="yes" if name in required else "no"),
            _about(field),
        )
        for name, field in schema.get("properties", {}).items()
    ]
    if not rows:
        return _NOTHING
    return _table(caption, ("Field", "Type", "Required", "Description"), rows)


_LIMITS: Final = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "minLength": "shortest length",
    "maxLength": "longest length",
    "minItems": "fewest items",
    "maxItems": "most items",
    "pattern": "pattern",
    "default": "default",
}


def _about(schema: Json) -> Html:
    limits = [
        f"{words} `{json.dumps(schema[name], ensure_ascii=False)}`"
        for name, words in _LIMITS.items()
        if name in schema
    ]
    described = schema.get("description", "")
    return _text(" ".join(part for part in (described, "; ".join(limits)) if part))


def _type(schema: Json) -> Html:
    """A schema in a few words, with a link to each named one."""
    if "$ref" in schema:
        return fill('<a href="#schema-{name}">{name}</a>', name=schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        choices = [_type(one) for one in schema["anyOf"]]
        return joined((choices[0], *(fill(" or {choice}", choice=choice) for choice in choices[1:])))
    if "enum" in schema:
        values = [_code(json.dumps(value, ensure_ascii=False)) for value in schema["enum"]]
        return joined((values[0], *(fill(", {value}", value=value) for value in values[1:])))
    if schema.get("type") == "array":
        return fill("list of {items}", items=_type(schema.get("items") or {}))
    if isinstance(schema.get("additionalProperties"), dict):
        return fill("map of {values}", values=_type(schema["additionalProperties"]))
    kinds = schema.get("type", "anything")
    return fill("{kinds}", kinds=kinds if isinstance(kinds, str) else " or ".join(kinds))


def _resolved(document: Json, schema: Json) -> Json:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    resolved: Json = document["components"]["schemas"][reference.rpartition("/")[2]]
    return resolved


# Examples


def _curl(document: Json, operation: _Operation) -> str:
    """A command for a shell that knows the server and the key."""
    content = operation.content
    path = operation.path
    query: list[str] = []
    for one in content.get("parameters", ()):
        value = _named_sample(one["name"], one["schema"])
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", quote(str(value), safe="+"))
        elif one["in"] == "query" and one["required"]:
            query.append(f"{quote(one['name'])}={quote(str(value))}")
    options, key_query = _key_options(document)
    address = f"$SIMYARD{path}" + (f"?{'&'.join((*query, *key_query))}" if query or key_query else "")
    lines = [f'curl -X {operation.method.upper()} "{address}"', *options]
    if "requestBody" in content:
        schema = content["requestBody"]["content"]["application/json"]["schema"]
        body = json.dumps(_sample(document, schema, is_brief=True), ensure_ascii=False)
        lines += ['-H "Content-Type: application/json"', f"-d '{body.replace(chr(39), chr(92) + 'u0027')}'"]
    return " \\\n  ".join(lines)


def _key_options(document: Json) -> tuple[list[str], list[str]]:
    for scheme in document["components"]["securitySchemes"].values():
        if scheme["type"] == "http":
            return ['-H "Authorization: Bearer $KEY"'], []
        return [], [f"{scheme['name']}=$KEY"]
    return [], []


def _sample(document: Json, schema: Json, name: str = "", *, is_brief: bool = False, depth: int = 0) -> Any:
    """A value a schema allows: its own example or default, or what its name suggests.

    Brief leaves out what may be left out.
    """
    schema = _resolved(document, schema)
    for given in (schema.get("examples", ()), schema.get("enum", ())):
        if given:
            return given[0]
    if "default" in schema and schema["default"] is not None:
        return schema["default"]
    if "anyOf" in schema:
        return _sample(document, schema["anyOf"][0], name, is_brief=is_brief, depth=depth)
    if depth > _SAMPLE_DEPTH_MAX:
        return None
    kind = schema.get("type")
    if kind == "array":
        singular = name.removesuffix("s")
        items = schema.get("items")
        return [_sample(document, items, singular, is_brief=is_brief, depth=depth + 1)] if items else []
    if kind == "object":
        required = schema.get("required", ())
        return {
            key: _sample(document, field, key, is_brief=is_brief, depth=depth + 1)
            for key, field in schema.get("properties", {}).items()
            if key in required or not is_brief
        }
    return _named_sample(name, schema)


_PLAIN_SAMPLES: Final[Mapping[str, object]] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True}


def _named_sample(name: str, schema: Json) -> Any:
    """The sample for a field of this name where its type allows that one, else a plain one of the type."""
    kind = schema.get("type")
    sample = SAMPLES.get(name)
    if kind == "string" and sample is not None:
        return str(sample)
    if kind == "integer" and isinstance(sample, int):
        return sample
    return _PLAIN_SAMPLES.get(str(kind))
