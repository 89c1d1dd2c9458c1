"""An App's webhook: its configuration, its deliveries, and delivering one again."""

from __future__ import annotations

import json

from bot.sandbox.answers import Answer, invalid, not_found
from bot.sandbox.mail import Delivery
from bot.sandbox.paging import Rank, by_cursor
from bot.sandbox.router import Call, Route
from bot.sandbox.shapes import Json, iso

DELIVERIES = "/app/hook/deliveries"
DELIVERY = DELIVERIES + "/{delivery_id:int}"


def _mine(call: Call) -> list[Delivery]:
    """Newest first."""
    return [one for one in reversed(call.state.post.log) if one.emission.app is call.caller.app]


def _item(delivery: Delivery) -> Json:
    emission = delivery.emission
    return {
        "id": delivery.id,
        "guid": emission.guid,
        "delivered_at": iso(delivery.delivered_at),
        "redelivery": delivery.redelivery,
        "duration": delivery.duration,
        "status": delivery.status,
        "status_code": delivery.status_code,
        "event": emission.event,
        "action": emission.action,
        "installation_id": emission.installation_id,
        "repository_id": emission.repository_id,
        "throttled_at": None,
    }


def list_deliveries(call: Call) -> Answer:
    wanted = call.query.get("status")
    if wanted not in (None, "success", "failure"):
        raise invalid("HookDelivery", "status", "invalid")
    kept = [one for one in _mine(call) if wanted is None or one.succeeded == (wanted == "success")]

    def rank(delivery: Delivery) -> Rank:
        return int(delivery.delivered_at.timestamp()), delivery.id

    kept.sort(key=rank, reverse=True)
    url = f"{call.state.url}{call.path}"
    page, links = by_cursor(kept, call.query, url=url, rank=rank, descending=True, name="cursor")
    return Answer(200, [_item(one) for one in page], links)


def _delivery(call: Call) -> Delivery:
    wanted = int(call.params["delivery_id"])
    found = next((one for one in _mine(call) if one.id == wanted), None)
    if found is None:
        raise not_found()
    return found


def get_delivery(call: Call) -> Answer:
    found = _delivery(call)
    answered = {"headers": found.response_headers, "payload": found.response_body}
    asked = {"headers": found.request_headers, "payload": json.loads(found.body)}
    url = found.emission.app.hook_url
    return Answer(200, _item(found) | {"url": url, "request": asked, "response": answered})


def redeliver(call: Call) -> Answer:
    call.state.post.redeliver(_delivery(call))
    return Answer(202, {})


def get_config(call: Call) -> Answer:
    app = call.caller.app
    body = {"content_type": "json", "insecure_ssl": "0", "secret": "********"}
    return Answer(200, body | ({"url": app.hook_url} if app and app.hook_url else {}))


def edit_config(call: Call) -> Answer:
    app, url, secret = call.caller.app, call.fields.get("url"), call.fields.get("secret")
    if app is not None and isinstance(url, str):
        app.hook_url = url
    if app is not None and isinstance(secret, str):
        app.webhook_secret = secret
    return get_config(call)


ROUTES = (
    Route("GET", DELIVERIES, list_deliveries, "app"),
    Route("GET", DELIVERY, get_delivery, "app"),
    Route("POST", DELIVERY + "/attempts", redeliver, "app"),
    Route("GET", "/app/hook/config", get_config, "app"),
    Route("PATCH", "/app/hook/config", edit_config, "app"),
)
