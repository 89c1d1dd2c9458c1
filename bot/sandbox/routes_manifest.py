"""An App from a manifest: the page that takes it (and here asks nobody), and the code's conversion."""

from __future__ import annotations

import json
import re
import secrets
from datetime import timedelta
from urllib.parse import parse_qs, urlencode

from bot.sandbox.answers import Answer, not_found, refusal
from bot.sandbox.payloads_app import app_payload
from bot.sandbox.registration import new_key, register_app
from bot.sandbox.router import Call, Route
from bot.sandbox.state import State

CODE_LIFETIME = timedelta(hours=1)


def keep_manifest(state: State, manifest: dict[str, object], *, owner: str) -> str:
    """A code that can be converted once, within the hour."""
    code = secrets.token_hex(20)
    state.manifests[code] = (state.now() + CODE_LIFETIME, owner, manifest)
    return code


def take_manifest(call: Call) -> Answer:
    """What the browser posts. A person would confirm here; the sandbox agrees at once."""
    form = parse_qs(call.raw.decode(errors="replace"))
    try:
        manifest = json.loads(form["manifest"][0])
        back = str(manifest["redirect_url"])
    except (KeyError, TypeError, ValueError):
        raise refusal(422, "The manifest is not valid.") from None
    owner = call.params.get("organization", "sandbox-owner")
    query = {"code": keep_manifest(call.state, manifest, owner=owner)}
    if "state" in call.query:
        query["state"] = call.query["state"]
    glue = "&" if "?" in back else "?"
    return Answer(302, headers={"Location": f"{back}{glue}{urlencode(query)}"}, text="")


def convert(call: Call) -> Answer:
    expires, owner, manifest = call.state.manifests.pop(
        call.params["code"], (call.state.now(), "", {})
    )
    if expires <= call.state.now():
        raise not_found()
    key = new_key()
    name = str(manifest.get("name", "unnamed"))
    app = register_app(
        call.state,
        name=name,
        slug=re.sub("[^a-z0-9]+", "-", name.lower()).strip("-"),
        owner=owner,
        private_key=key,
        hook_url=_hook_url(manifest.get("hook_attributes")),
        permissions=_texts(manifest.get("default_permissions")),
        events=_events(manifest.get("default_events")),
    )
    secret = {"webhook_secret": app.webhook_secret, "pem": key}
    client = {"client_id": app.client_id, "client_secret": app.client_secret}
    return Answer(201, app_payload(call.state, app) | client | secret)


def _hook_url(attributes: object) -> str | None:
    return str(attributes["url"]) if isinstance(attributes, dict) and "url" in attributes else None


def _texts(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _events(value: object) -> list[str]:
    return [str(event) for event in value] if isinstance(value, list) else []


ROUTES = (
    Route("POST", "/settings/apps/new", take_manifest, "open"),
    Route("POST", "/organizations/{organization}/settings/apps/new", take_manifest, "open"),
    Route("POST", "/app-manifests/{code}/conversions", convert, "open"),
)
