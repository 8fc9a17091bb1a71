"""A small vendor of the handler API, after its reference (Part A), with what real vendors do differently as switches."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.upstreams.vendor import KEY, Answer, Refuse, Request, Sold, Vendor, content, text

COUNTRIES = {"16": "United Kingdom", "187": "USA", "12": "USA (virtual)", "9199": "Atlantis"}
SERVICES = {"tg": "Telegram", "wa": "WhatsApp", "ot": "Any other", "zzz": "Bank of Nowhere"}


class HandlerVendor(Vendor):
    def __init__(self) -> None:
        super().__init__()
        # JSON errors with real codes instead of words.
        self.hero = False
        # Under which names the list of activations is: both, data, activeActivations, bare, rows.
        self.list_shape = "both"
        self.pages = True
        self.missing: set[str] = set()
        self.prices_shape = "cost"
        self.names_known = True
        self.echoes_order_id = False
        self.zone_hours = 0
        self.order_ids: dict[str, int] = {}

    def step(self, path: str, query: dict[str, str]) -> str:
        return query.get("action", "")

    def answer(self, request: Request) -> Answer:
        query = request.query
        if request.path != "/stubs/handler_api.php":
            return 404, "text/html", b"<html>404</html>"
        if query.get("api_key") != KEY:
            return self.no("BAD_KEY", 401)
        if request.step in self.missing or not hasattr(self, f"do_{request.step}"):
            return self.no("BAD_ACTION", 404)
        answered: Answer = getattr(self, f"do_{request.step}")(query)
        return answered

    def no(self, word: str, status: int, **info: Any) -> Answer:
        if self.hero:
            return content({"title": word, "details": "It went wrong.", "info": info}, status)
        return text(word)

    def do_getBalance(self, query: dict[str, str]) -> Answer:  # noqa: N802
        return text(f"ACCESS_BALANCE:{self.balance:.2f}")

    def do_getCountries(self, query: dict[str, str]) -> Answer:  # noqa: N802
        if not self.names_known:
            return self.no("BAD_ACTION", 404)
        return content(
            {key: {"id": int(key), "rus": eng, "eng": eng, "chn": eng} for key, eng in COUNTRIES.items()}
        )

    def do_getServicesList(self, query: dict[str, str]) -> Answer:  # noqa: N802
        if not self.names_known:
            return self.no("BAD_ACTION", 404)
        services = [{"code": code, "name": name} for code, name in SERVICES.items()]
        return content({"status": "success", "services": services})

    def do_getPrices(self, query: dict[str, str]) -> Answer:  # noqa: N802
        found: dict[str, dict[str, Any]] = {}
        for (country, service), tiers in self.shelves.items():
            left = {price: count for price, count in tiers.items() if count} or tiers
            price = min(left)
            entry: Any = {"cost": price, "count": sum(tiers.values()), "physicalCount": left[price]}
            match self.prices_shape:
                case "no physical":
                    entry = {"cost": str(price), "count": str(left[price])}
                case "tiers":
                    entry = {str(one): count for one, count in tiers.items()}
                case "providers":
                    entry = {
                        str(place): {"price": one, "count": count, "provider_id": place}
                        for place, (one, count) in enumerate(tiers.items(), start=1)
                    }
                case "total":
                    entry = {"price": price, "count": left[price], "providers": {}}
            found.setdefault(country, {})[service] = entry
        return content(found)

    do_getPricesV2 = do_getPrices  # noqa: N815

    def do_getNumberV2(self, query: dict[str, str]) -> Answer:  # noqa: N802
        sold = self._buy(query)
        if not isinstance(sold, Sold):
            return sold
        return content(
            {
                "activationId": str(sold.id),
                "phoneNumber": sold.phone,
                "activationCost": sold.price,
                "currency": 840,
                "countryCode": sold.country,
                "countryPhoneCode": 44,
                "canGetAnotherSms": True,
                "activationTime": self._moment(sold),
                "activationEndTime": "2026-03-01 12:20:00",
                "activationOperator": "any",
            }
        )

    def do_getNumber(self, query: dict[str, str]) -> Answer:  # noqa: N802
        sold = self._buy(query)
        return text(f"ACCESS_NUMBER:{sold.id}:{sold.phone}") if isinstance(sold, Sold) else sold

    def _buy(self, query: dict[str, str]) -> Sold | Answer:
        if query.get("service") not in SERVICES:
            return self.no("BAD_SERVICE", 422)
        cap = Decimal(query["maxPrice"]) if "maxPrice" in query else None
        order_id = query.get("orderId", "")
        if order_id and order_id in self.order_ids:
            return self.no("ORDER_ALREADY_EXISTS", 409)
        tiers = self.shelves.get((query.get("country", ""), query["service"]), {})
        if cap is not None and tiers and cap < min(tiers):
            return (
                self.no(f"WRONG_MAX_PRICE:{min(tiers)}", 400)
                if not self.hero
                else self.no("WRONG_MAX_PRICE", 400)
            )
        try:
            sold = self.buy(query["country"], query["service"], cap, order_id)
        except Refuse:
            return self.no("NO_BALANCE", 402)
        if sold is None:
            return self.no("NO_NUMBERS", 404)
        self.order_ids[order_id] = sold.id
        return sold

    def do_setStatus(self, query: dict[str, str]) -> Answer:  # noqa: N802
        sold = self.find(query["id"])
        if sold is None:
            return self.no("NO_ACTIVATION", 404)
        match query["status"]:
            case "3":
                if not sold.is_open or not sold.sms:
                    return self.no("BAD_STATUS", 400)
                sold.state, sold.seen = "again", len(sold.sms)
                return text("ACCESS_RETRY_GET")
            case "6":
                if not sold.sms:
                    return self.no("BAD_STATUS", 400)
                sold.state = "done"
                return text("ACCESS_ACTIVATION")
            case "8":
                if sold.state == "canceled":
                    return text("ACCESS_CANCEL")
                if sold.sms:
                    return self.no("OTP_RECEIVED", 409) if self.hero else text("BAD_STATUS")
                if self.cancel_locked:
                    return self.no("EARLY_CANCEL_DENIED", 409, minActivationTime=120)
                self.cancel(sold)
                return text("ACCESS_CANCEL")
        return self.no("BAD_STATUS", 400)

    def do_getStatus(self, query: dict[str, str]) -> Answer:  # noqa: N802
        sold = self.find(query["id"])
        if sold is None:
            return self.no("NO_ACTIVATION", 404)
        if sold.state == "canceled":
            return text("STATUS_CANCEL")
        if len(sold.sms) > sold.seen:
            return text(f"STATUS_OK:{sold.sms[-1].code}")
        return text(f"STATUS_WAIT_RETRY:{sold.sms[-1].code}" if sold.sms else "STATUS_WAIT_CODE")

    def do_getStatusV2(self, query: dict[str, str]) -> Answer:  # noqa: N802
        sold = self.find(query["id"])
        if sold is None:
            return self.no("NO_ACTIVATION", 404)
        if sold.state == "canceled":
            return text("STATUS_CANCEL")
        if len(sold.sms) <= sold.seen:
            return content({"verificationType": 0, "sms": None, "call": None})
        sms = sold.sms[-1]
        said = {"dateTime": f"{sms.at:%Y-%m-%d %H:%M:%S}", "code": sms.code, "text": sms.text}
        return content({"verificationType": 0, "sms": said, "call": None})

    def do_getAllSms(self, query: dict[str, str]) -> Answer:  # noqa: N802
        sold = self.find(query["id"])
        if sold is None:
            return self.no("NO_ACTIVATION", 404)
        rows = [
            {
                "id": str(sms.id),
                "phoneFrom": sms.sender,
                "code": sms.code,
                "text": sms.text,
                "service": sold.service,
                "date": f"{sms.at:%Y-%m-%d %H:%M:%S}",
                "type": "sms",
            }
            for sms in sold.sms
        ]
        return content({"data": rows, "meta": {"total": len(rows), "service": sold.service}})

    def do_getActiveActivations(self, query: dict[str, str]) -> Answer:  # noqa: N802
        rows = [self._row(sold) for sold in self.sold.values() if sold.is_open]
        if self.pages:
            start, limit = int(query.get("start", 0)), min(int(query.get("limit", 10)), 100)
            rows = rows[start : start + limit]
        if not rows and not self.hero:
            return content({"status": "error", "error": "NO_ACTIVATIONS"})
        match self.list_shape:
            case "data":
                return content({"status": "success", "data": rows})
            case "activeActivations":
                return content({"status": "success", "activeActivations": rows})
            case "bare":
                return content(rows)
            case "rows":
                return content({"status": "success", "activeActivations": {"rows": []}, "data": rows})
        return content({"status": "success", "activeActivations": rows, "data": rows})

    def _row(self, sold: Sold) -> dict[str, Any]:
        newest = sold.sms[-1] if len(sold.sms) > sold.seen else None
        row = {
            "activationId": str(sold.id),
            "serviceCode": sold.service,
            "phoneNumber": sold.phone,
            "activationCost": sold.price,
            "activationStatus": "2" if newest else "3" if sold.sms else "4",
            "smsCode": newest.code if newest else None,
            "smsText": newest.text if newest else None,
            "activationTime": self._moment(sold),
            "countryCode": sold.country,
            "canGetAnotherSms": "1",
            "currency": 840,
        }
        return row | ({"orderId": sold.reference} if self.echoes_order_id else {})

    def _moment(self, sold: Sold) -> str:
        return f"{sold.at + timedelta(hours=self.zone_hours):%Y-%m-%d %H:%M:%S}"
