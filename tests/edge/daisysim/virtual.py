"""A buyer who calls DaisySIM virtual."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import httpx

from simyard.core.loyalty.model import Loyalty
from simyard.edge.dialects.daisysim.v1 import DIALECT
from simyard.settings import Settings
from tests.edge.daisysim.buyer import Buyer

LOYALTY: Final = Loyalty(Settings().loyalty_tiers, "USD")
UNITED_KINGDOM: Final = 16
RUSSIA: Final = 222


class VirtualBuyer(Buyer):
    prefix: ClassVar[str] = DIALECT.prefix

    async def prices(self, service: str = "wa", country: int = UNITED_KINGDOM) -> dict[str, Any]:
        found: dict[str, Any] = told(await self.post("/prices", {"country": country, "service": service}))
        return found

    async def buy(self, price: Any = 1, service: str = "wa", **fields: object) -> dict[str, Any]:
        """What was bought."""
        body = {"country": UNITED_KINGDOM, "service": service, "price": price, **fields}
        response = await self.post("/purchase", body)
        assert response.status_code == 201, response.text
        bought: dict[str, Any] = told(response)
        return bought

    async def look(self, activation_id: str) -> dict[str, Any]:
        checked: dict[str, Any] = told(await self.get(f"/check/{activation_id}"))
        return checked

    async def balance(self) -> Any:
        return told(await self.get("/balance"))["balance"]


def told(response: httpx.Response) -> Any:
    """What a success brought."""
    answer = response.json()
    assert response.status_code in (200, 201), answer
    assert list(answer) == ["success", "data"]
    assert answer["success"] is True
    return answer["data"]
