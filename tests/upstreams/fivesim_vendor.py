"""A small 5sim, after its reference (Part A): money moves by GET, errors are sentences, and no numbers is a success."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.upstreams.vendor import KEY, Answer, Refuse, Request, Sold, Vendor, content, text

COUNTRIES = {"england", "usa"}
PRODUCTS = {"telegram", "whatsapp"}
STATUSES = {"open": "PENDING", "done": "FINISHED", "canceled": "CANCELED", "banned": "BANNED"}


class FivesimVendor(Vendor):
    def __init__(self) -> None:
        super().__init__()
        self.rating = 96
        self.sms_ids = True
        self.null_sms = False
        self.error_status = 400

    def step(self, path: str, query: dict[str, str]) -> str:
        parts = path.removeprefix("/v1/").split("/")
        return "/".join(parts[:2])

    def answer(self, request: Request) -> Answer:
        parts = request.path.split("/")[2:]
        if request.step == "guest/prices":
            return content(self._prices())
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return text("Unauthorized", 401)
        match parts:
            case ["user", "profile"]:
                return content({"id": 1, "balance": self.balance, "rating": self.rating})
            case ["user", "orders"]:
                return self._orders(request.query)
            case ["user", "buy", "activation", country, operator, product]:
                return self._buy(country, operator, product, request.query)
            case ["user", ("check" | "finish" | "cancel" | "ban") as verb, order_id]:
                return self._act(verb, order_id)
        return text("not found", 404)

    def _prices(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for (country, product), tiers in self.shelves.items():
            operators = {
                f"virtual{place}": {"cost": price, "count": count, "rate": 44.5}
                for place, (price, count) in enumerate(tiers.items(), start=1)
            }
            found.setdefault(country, {})[product] = operators
        return found

    def _buy(self, country: str, operator: str, product: str, query: dict[str, str]) -> Answer:
        if country not in COUNTRIES:
            return text("bad country", 400)
        if product not in PRODUCTS:
            return text("no product", 400)
        # A cap counts with any operator alone.
        cap = Decimal(query["maxPrice"]) if "maxPrice" in query and operator == "any" else None
        try:
            sold = self.buy(country, product, cap)
        except Refuse:
            return text("not enough user balance", 400)
        return text("no free phones") if sold is None else content(self._order(sold))

    def _order(self, sold: Sold) -> dict[str, Any]:
        sms = [
            {
                "created_at": f"{one.at:%Y-%m-%dT%H:%M:%S}.123456789Z",
                "date": f"{one.at:%Y-%m-%dT%H:%M:%S}Z",
                "sender": one.sender,
                "text": one.text,
                "code": one.code,
            }
            | ({"id": one.id} if self.sms_ids else {})
            for one in sold.sms
        ]
        return {
            "id": sold.id,
            "phone": f"+{sold.phone}",
            "operator": "virtual1",
            "product": sold.service,
            "price": sold.price,
            "status": "RECEIVED" if sold.state == "open" and sold.sms else STATUSES[sold.state],
            "expires": "2026-03-01T12:15:00Z",
            "sms": sms or (None if self.null_sms else []),
            "created_at": f"{sold.at:%Y-%m-%dT%H:%M:%S}.5Z",
            "country": sold.country,
        }

    def _orders(self, query: dict[str, str]) -> Answer:
        if query.get("category") != "activation":
            return text("internal error", 500)
        newest = sorted(self.sold.values(), key=lambda sold: sold.id, reverse=query.get("reverse") == "true")
        first, most = int(query["offset"]), int(query["limit"])
        rows = [self._order(sold) for sold in newest[first : first + most]]
        return content({"Data": rows, "ProductNames": [], "Statuses": [], "Total": len(newest)})

    def _act(self, verb: str, order_id: str) -> Answer:
        sold = self.find(order_id)
        if sold is None:
            return text("order not found", 404)
        if verb == "check":
            return content(self._order(sold))
        if not sold.is_open:
            return text("order expired", self.error_status)
        if verb == "finish":
            if not sold.sms:
                return text("order no sms", self.error_status)
            sold.state = "done"
        else:
            if sold.sms:
                return text("order has sms", self.error_status)
            if self.cancel_locked:
                return text("you need to wait time", self.error_status)
            self.cancel(sold, "banned" if verb == "ban" else "canceled")
        return content(self._order(sold))
