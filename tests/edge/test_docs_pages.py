"""The reference pages show every dialect whole, are safe with any text, and are cheap to ask for again."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

import simyard
from simyard.app import DIALECTS
from simyard.base.refusals import Refused
from simyard.core.accounts.model import Caller, Scope
from simyard.edge import docs_pages
from simyard.edge.docs_pages import Html, fill
from simyard.edge.openapi import describe
from simyard.edge.wire import (
    Action,
    Dialect,
    NoVerb,
    Parameter,
    RefusalTable,
    WireRequest,
    WireResponse,
    json_response,
)

HOSTILE = "<script>alert('x')</script>\"&{0}"

Hostile = Annotated[str, msgspec.Meta(description=HOSTILE, examples=["it's " + HOSTILE])]


class Answer(msgspec.Struct):
    """<script>alert('x')</script>"&{0}"""

    word: Hostile
    activation_id: int
    codes: list[str]
    when: str | None = None


def _parse(request: WireRequest) -> None:
    return None


def _render(result: object, command: object, caller: Caller) -> WireResponse:
    return json_response({})


DIALECT = Dialect(
    name="small",
    title=HOSTILE,
    prefix="/small",
    actions={
        ("POST", "/thing/{activation_id}"): Action(
            HOSTILE,
            Scope.READ,
            _parse,
            NoVerb(),
            _render,
            Answer,
            body=Answer,
            parameters=(Parameter("page", HOSTILE, required=True),),
            value_description=HOSTILE,
        ),
    },
    refusals=RefusalTable({reason: lambda refusal, noun: json_response(HOSTILE, 400) for reason in Refused}),
    find_key=lambda headers, query_string, body: "sample" if query_string == b"apikey=sample" else None,
    error=None,
    description=HOSTILE,
    key_description=HOSTILE,
)

EVERY = [DIALECT, *DIALECTS]
every_dialect = pytest.mark.parametrize("dialect", EVERY, ids=lambda dialect: dialect.name)


async def get(
    path: str, headers: dict[str, str] | None = None, dialects: Sequence[Dialect] = EVERY
) -> httpx.Response:
    transport = httpx.ASGITransport(app=Starlette(routes=docs_pages.routes(dialects)))
    async with httpx.AsyncClient(transport=transport, base_url="http://simyard") as client:
        return await client.get(path, headers=headers)


class Outline(HTMLParser):
    """What a page is made of. Fails where tags do not close in order."""

    VOID = frozenset({"meta", "link", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self._open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "src"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_index_leads_to_every_dialect() -> None:
    response = await get("/docs")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    outline = Outline(response.text)
    for dialect in EVERY:
        assert f"/docs/{dialect.name}" in outline.links
        assert f"/docs/{dialect.name}/openapi.json" in outline.links
        assert dialect.prefix in outline.text
        assert dialect.title in outline.text


@every_dialect
async def test_page_shows_every_action_and_schema(dialect: Dialect) -> None:
    response = await get(f"/docs/{dialect.name}")
    assert response.status_code == 200
    outline = Outline(response.text)
    for method, path in dialect.actions:
        assert f"{method} {dialect.prefix}{path}" in outline.text
    for name in describe(dialect, version="1")["components"]["schemas"]:
        assert f"schema-{name}" in outline.ids


@every_dialect
async def test_page_is_sound(dialect: Dialect) -> None:
    outline = Outline((await get(f"/docs/{dialect.name}")).text)
    assert len(set(outline.ids)) == len(outline.ids)
    assert {link[1:] for link in outline.links if link.startswith("#")} <= set(outline.ids)
    assert all(link.startswith(("#", "/docs")) for link in outline.links), "nothing comes from elsewhere"
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("main") == 1
    assert {"header", "nav", "footer", "title"} <= set(outline.tags)


@every_dialect
async def test_document_is_the_one_described(dialect: Dialect) -> None:
    response = await get(f"/docs/{dialect.name}/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == describe(dialect, version=simyard.__version__)


@pytest.mark.parametrize("path", ["/docs", "/docs/small"])
async def test_text_is_escaped(path: str) -> None:
    page = (await get(path)).text
    assert "<script" not in page
    assert HOSTILE in Outline(page).text


async def test_only_marked_text_is_html() -> None:
    assert fill("<p>{a}{b}</p>", a="<&\"'", b=Html("<b>x</b>")).text == "<p>&lt;&amp;&quot;&#x27;<b>x</b></p>"


@pytest.mark.parametrize("path", ["/docs/nobody", "/docs/nobody/openapi.json", "/docs/<b>"])
async def test_unknown_dialect_is_404(path: str) -> None:
    response = await get(path)
    assert response.status_code == 404
    assert "no such page" in response.text
    assert "nobody" not in response.text


@pytest.mark.parametrize("path", ["/docs", "/docs/small", "/docs/small/openapi.json", "/docs/pages.css"])
async def test_page_that_is_known_is_not_sent_again(path: str) -> None:
    first = await get(path)
    assert first.headers["cache-control"] == "no-cache"
    again = await get(path, {"if-none-match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    changed = await get(path, {"if-none-match": '"other"'})
    assert changed.content == first.content


async def test_pages_run_nothing() -> None:
    response = await get("/docs/small")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_style_follows_the_reader() -> None:
    response = await get("/docs/pages.css")
    assert response.headers["content-type"] == "text/css; charset=utf-8"
    assert "prefers-color-scheme: dark" in response.text
    assert "url(" not in response.text


def _luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


async def test_text_stands_out_from_its_ground() -> None:
    style = (await get("/docs/pages.css")).text
    for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL):
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
        for ground in ("paper", "raised", "mark"):
            for ink in ("ink", "faint", "link", "good", "bad"):
                assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


async def test_example_of_a_request_can_be_run() -> None:
    text = Outline((await get("/docs/small")).text).text
    assert 'curl -X POST "$SIMYARD/small/thing/32886?page=' in text
    assert "apikey=$KEY" in text
    body = re.search(r"-d '([^']*)'", text)
    assert body is not None, "an apostrophe in the body must not end it"
    sent: dict[str, Any] = json.loads(body[1])
    assert sent == {"word": "it's " + HOSTILE, "activation_id": 32886, "codes": ["847261"]}


async def test_example_of_an_answer_fits_its_type() -> None:
    text = Outline((await get("/docs/small")).text).text
    example = re.search(r"200: Done\n?(\{.*?\n\})", text, re.DOTALL)
    assert example is not None
    msgspec.json.decode(example[1].encode(), type=Answer)
