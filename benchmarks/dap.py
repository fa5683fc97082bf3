"""A small client of the Debug Adapter Protocol: attach, set logpoints, count what they say."""

from __future__ import annotations

import json
import socket
import threading
import time
from itertools import count
from typing import Any


class DapClient:
    """One connection to an adapter. A thread of it reads; it ends when the connection does."""

    def __init__(self, port: int, timeout_s: float = 30.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._socket.settimeout(None)
        self._timeout_s = timeout_s
        self._numbers = count(1)
        self._changed = threading.Condition()  # protects what the reader has seen
        self._responses: dict[int, dict[str, Any]] = {}
        self._events: set[str] = set()
        self.outputs = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def attach(self) -> None:
        self._request("initialize", adapterID="benchmark", linesStartAt1=True, pathFormat="path")
        # Answered after configurationDone, so nobody waits for it here.
        self._send("attach", justMyCode=False, subProcess=False)
        self._wait(lambda: "initialized" in self._events, "initialized")
        self._request("configurationDone")

    def set_logpoints(self, path: str, messages: dict[int, str]) -> None:
        """Exactly these logpoints in a file: ``{line: message}``.

        Raises:
            RuntimeError: The adapter didn't take one of them.
        """
        breakpoints = [{"line": line, "logMessage": text} for line, text in messages.items()]
        answer = self._request("setBreakpoints", source={"path": path}, breakpoints=breakpoints)
        if not all(one["verified"] for one in answer["body"]["breakpoints"]):
            raise RuntimeError(f"not all logpoints were taken: {answer}")

    def wait_for_outputs(self, expected: int, timeout_s: float) -> None:
        self._wait(lambda: self.outputs >= expected, f"{expected} outputs", timeout_s)

    def disconnect(self) -> None:
        self._request("disconnect", terminateDebuggee=False)
        self._socket.close()
        self._reader.join(self._timeout_s)

    def _request(self, command: str, **arguments: Any) -> dict[str, Any]:
        number = self._send(command, **arguments)
        self._wait(lambda: number in self._responses, command)
        answer = self._responses.pop(number)
        if not answer["success"]:
            raise RuntimeError(f"{command} failed: {answer.get('message')}")
        return answer

    def _send(self, command: str, **arguments: Any) -> int:
        number = next(self._numbers)
        message = {"seq": number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return number

    def _wait(self, condition: Any, what: str, timeout_s: float | None = None) -> None:
        deadline = time.monotonic() + (timeout_s or self._timeout_s)
        with self._changed:
            while not condition():
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"the adapter didn't give {what}; {self.outputs} outputs")

    def _read(self) -> None:
        stream = self._socket.makefile("rb")
        try:
            while header := stream.readline():
                size = int(header.partition(b":")[2])
                stream.readline()
                self._take(json.loads(stream.read(size)))
        except (OSError, ValueError):
            return  # the connection was closed under us, by us as a rule

    def _take(self, message: dict[str, Any]) -> None:
        with self._changed:
            if message["type"] == "response":
                self._responses[message["request_seq"]] = message
            elif message["type"] == "event":
                self._events.add(message["event"])
                body = message.get("body") or {}
                if message["event"] == "output" and body.get("category") != "telemetry":
                    # Several lines may come as one output.
                    self.outputs += max(1, body.get("output", "").count("\n"))
            self._changed.notify_all()
