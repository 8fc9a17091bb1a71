"""A small Onlinesim for buyers, after its reference: status 200 for everything, errors in `response`."""

from __future__ import annotations

from typing import Any

from tests.upstreams.vendor import KEY, Answer, Refuse, Request, Sold, Vendor, content

COUNTRIES = {"44": "united_kingdom", "1": "usa", "999": "atlantis"}
SERVICES = {"telegram": "Telegram", "whatsapp": "WhatsApp", "nowherebank": "Bank of Nowhere"}
GUARDED = "NO_COMPLETE_TZID"


class OnlinesimVendor(Vendor):
    def __init__(self) -> None:
        super().__init__()
        # Operations that get their number a moment after they were ordered.
        self.slow = False
        self.strings = False

    def step(self, path: str, query: dict[str, str]) -> str:
        return path.removeprefix("/api/").removesuffix(".php")

    def answer(self, request: Request) -> Answer:
        query = request.query
        if query.get("apikey") != KEY:
            return no("ERROR_WRONG_KEY")
        match request.step:
            case "getBalance":
                return content({"response": "1", "balance": str(self.balance), "zbalance": 0, "income": 0})
            case "getNumbersStats":
                return content(self._stats())
            case "getPrice":
                tiers = self.shelves.get((query["country"], query["service"]))
                return content({"response": 1, "price": min(tiers)}) if tiers else no("NO_NUMBER")
            case "getNum":
                return self._buy(query)
            case "getState":
                return self._state(query)
            case "setOperationOk":
                return self._close(query)
        return no("REQUEST_NOT_FOUND")

    def _stats(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for (code, slug), tiers in self.shelves.items():
            price = min(tiers)
            entry = {
                "count": sum(tiers.values()),
                "price": f"{price:.2f}" if self.strings else price,
                "service": SERVICES[slug],
                "slug": slug,
            }
            country = found.setdefault(code, {"name": COUNTRIES[code], "code": int(code), "services": {}})
            country["services"][f"service_{slug}"] = entry
        return found

    def _buy(self, query: dict[str, str]) -> Answer:
        if query["service"] not in SERVICES:
            return no("ERROR_NO_SERVICE")
        try:
            sold = self.buy(query["country"], query["service"], None)
        except Refuse:
            return no("WARNING_LOW_BALANCE")
        if sold is None:
            return no("NO_NUMBER")
        answer = {"response": 1, "tzid": sold.id}
        return content(answer if self.slow else answer | {"number": f"+{sold.phone}", "country": 44})

    def _state(self, query: dict[str, str]) -> Answer:
        if "tzid" in query:
            one = self.find(query["tzid"])
            listed = [] if one is None else [one]
        else:
            listed = [sold for sold in self.sold.values() if sold.is_open]
        return content([self._operation(sold) for sold in listed]) if listed else no("ERROR_NO_OPERATIONS")

    def _operation(self, sold: Sold) -> dict[str, Any]:
        state = "TZ_NUM_ANSWER" if sold.sms else "TZ_NUM_WAIT"
        if not sold.is_open:
            state = "TZ_OVER_OK" if sold.sms else "TZ_OVER_EMPTY"
        operation = {
            "tzid": sold.id,
            "response": state,
            "service": sold.service,
            "number": f"+{sold.phone}",
            "country": int(sold.country),
            "sum": sold.price,
            "time": 600,
            "form": "index",
        }
        messages = [{"service": sold.service, "msg": one.text} for one in sold.sms]
        return operation | ({"msg": messages} if messages else {})

    def _close(self, query: dict[str, str]) -> Answer:
        sold = self.find(query["tzid"])
        if sold is None or not sold.is_open:
            return no("ERROR_WRONG_TZID")
        if sold.sms:
            sold.state = "done"
        elif self.cancel_locked:
            return no(GUARDED)
        else:
            self.cancel(sold, "banned" if query.get("ban") == "1" else "canceled")
        return content({"response": 1, "tzid": sold.id})


def no(word: str) -> Answer:
    return content({"response": word})
