"""Sends webhooks, signed as GitHub signs them, in the background; keeps the log that Apps can read and
redeliver from. Never retries by itself: GitHub does not."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import random
import threading
import time
import zlib
from dataclasses import dataclass, replace

import httpx

from bot.sandbox.mail import Delivery, Emission
from bot.sandbox.records import App
from bot.sandbox.state import State

TIMEOUT = 10.0
Outcome = tuple[int, str, dict[str, str], str]
"""Status code, status, response headers, response body."""
LOST: Outcome = (504, "timed out", {}, "")


@dataclass(frozen=True, slots=True)
class _Parcel:
    emission: Emission
    redelivery: bool = False
    body: bytes | None = None
    """Of a redelivery: the same bytes as the first time."""


class Courier:
    """The background senders and the delivery log. One worker keeps the order; more do not."""

    def __init__(self, state: State, *, workers: int = 1) -> None:
        self.log: list[Delivery] = []
        self._state = state
        self._parcels: queue.SimpleQueue[_Parcel | None] = queue.SimpleQueue()
        self._held: list[_Parcel] | None = None
        self._to_lose = 0
        self._stopping = False
        self._pending = 0
        self._quiet = threading.Condition()
        self._workers = [
            threading.Thread(target=self._work, name=f"courier-{n}", daemon=True)
            for n in range(workers)
        ]

    def start(self) -> None:
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Drop what has not been sent and end the senders."""
        self._stopping = True
        for _ in self._workers:
            self._parcels.put(None)
        for worker in self._workers:
            worker.join(timeout=2 * TIMEOUT)

    def send(self, emission: Emission) -> None:
        """Hand over. Without a hook URL there is nothing to send, and nothing in the log."""
        if emission.app.hook_url is not None:
            self._accept(_Parcel(emission))

    def redeliver(self, delivery: Delivery) -> None:
        """The same GUID and bytes once more, as a new delivery."""
        self._accept(_Parcel(delivery.emission, redelivery=True, body=delivery.body))

    def hold(self) -> None:
        """Keep everything back until `release`."""
        with self._quiet:
            self._held = self._held or []

    def release(self, *, shuffle: int | None = None, copies: int = 1) -> None:
        """Send what was held: in order, or shuffled by this seed; each `copies` times with one GUID."""
        with self._quiet:
            parcels = [parcel for parcel in self._held or [] for _ in range(copies)]
            self._held = None
        if shuffle is not None:
            random.Random(shuffle).shuffle(parcels)  # noqa: S311 - an order, not a secret
        for parcel in parcels:
            self._accept(parcel)

    def lose(self, count: int) -> None:
        """The next deliveries never arrive; the log has them as timed out."""
        with self._quiet:
            self._to_lose += count

    def wait(self, timeout: float = 30.0) -> bool:
        """Until all that was handed over has been tried. False when time runs out first."""
        with self._quiet:
            return self._quiet.wait_for(lambda: self._pending == 0, timeout)

    def _accept(self, parcel: _Parcel) -> None:
        with self._quiet:
            if self._held is not None:
                self._held.append(parcel)
                return
            self._pending += 1
            self._parcels.put(parcel)

    def _work(self) -> None:
        with httpx.Client(timeout=TIMEOUT) as client:
            while (parcel := self._parcels.get()) is not None and not self._stopping:
                delivery = self._deliver(client, parcel)
                with self._quiet:
                    self.log.append(delivery)
                    self._pending -= 1
                    self._quiet.notify_all()

    def _deliver(self, client: httpx.Client, parcel: _Parcel) -> Delivery:
        emission = parcel.emission
        body = parcel.body or json.dumps(emission.payload, separators=(",", ":")).encode()
        headers = signed_headers(emission, body)
        started = time.perf_counter()
        code, status, answered, text = self._post(client, emission.app, headers, body)
        return Delivery(
            id=self._state.next_id(),
            emission=replace(emission, payload={}),  # the body has it, smaller
            delivered_at=self._state.now(),
            redelivery=parcel.redelivery,
            duration=round(time.perf_counter() - started, 3),
            status=status,
            status_code=code,
            request_headers=headers,
            response_headers=answered,
            response_body=text,
            packed=zlib.compress(body, 1),
        )

    def _post(
        self, client: httpx.Client, app: App, headers: dict[str, str], body: bytes
    ) -> Outcome:
        with self._quiet:
            if self._to_lose > 0:
                self._to_lose -= 1
                return LOST
        try:
            answer = client.post(app.hook_url or "", content=body, headers=headers)
        except httpx.TimeoutException:
            return LOST
        except (httpx.HTTPError, httpx.InvalidURL):
            return 502, "failed to connect to host", {}, ""
        code = answer.status_code
        status = "OK" if 200 <= code < 300 else f"Invalid HTTP Response: {code}"
        return code, status, dict(answer.headers), answer.text[:4096]


def signed_headers(emission: Emission, body: bytes) -> dict[str, str]:
    """https://docs.github.com/webhooks/webhook-events-and-payloads#delivery-headers"""
    app = emission.app
    digest = hmac.new(app.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/5a9d0c1",
        "X-GitHub-Delivery": emission.guid,
        "X-GitHub-Event": emission.event,
        "X-GitHub-Hook-ID": str(app.hook_id),
        "X-GitHub-Hook-Installation-Target-ID": str(app.id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
        "X-Hub-Signature-256": f"sha256={digest}",
    }
