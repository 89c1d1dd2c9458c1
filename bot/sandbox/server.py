"""The sandbox on a loopback port, served by uvicorn in a thread of this process."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any, Self

import uvicorn

from bot.sandbox.sandbox import Sandbox

START_TIMEOUT = 30.0


class SandboxServer(Sandbox):
    """`with SandboxServer() as sandbox:` answers at `sandbox.url` until the block ends."""

    def __init__(self, *, port: int = 0, **options: Any) -> None:
        """`port=0` takes a free one. Options are those of `World`."""
        super().__init__(**options)
        self._socket = socket.create_server(("127.0.0.1", port))
        self.state.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self.application, log_config=None, access_log=False, lifespan="off", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def __enter__(self) -> Self:
        self.hooks.start()
        self._thread.start()
        deadline = time.monotonic() + START_TIMEOUT
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self.hooks.stop()
        self._server.should_exit = True
        self._thread.join(timeout=START_TIMEOUT)
        self._socket.close()
