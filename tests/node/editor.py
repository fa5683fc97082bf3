"""What an editor is to a debug port: a small client of the Debug Adapter Protocol, in a thread."""

from __future__ import annotations

import json
import socket
import threading
import time
from itertools import count

TIMEOUT_S = 60


class Editor:
    """Connected to ``port``; what comes is kept in ``events``."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self._socket.settimeout(None)
        self._numbers = count(1)
        self._changed = threading.Condition()
        self._responses = {}
        self.events = []
        self.is_over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def attach(self, **arguments):
        """As Detrix's daemon does: with children, and with the program's output."""
        self.request("initialize", adapterID="test", clientID="test", pathFormat="path")
        given = {"justMyCode": False, "subProcess": True, "redirectOutput": True, **arguments}
        self._send("attach", given)
        self.wait("initialized")
        self.request("configurationDone")
        return self

    def set_breakpoints(self, path, *breakpoints):
        """Exactly these in a file: lines, or dictionaries."""
        wanted = [each if isinstance(each, dict) else {"line": each} for each in breakpoints]
        body = self.request("setBreakpoints", source={"path": str(path)}, breakpoints=wanted)[
            "body"
        ]
        return [each["verified"] for each in body["breakpoints"]]

    def wait(self, name, **wanted):
        """The body of the first event of this name that has these fields; it is taken out."""
        return self._until(lambda: self._take(name, wanted), name)

    def wait_for_end(self):
        self._until(lambda: self.is_over, "the end")

    def outputs(self):
        with self._changed:
            return "".join(
                e["body"].get("output", "") for e in self.events if e["event"] == "output"
            )

    def wait_for_output(self, text):
        self._until(lambda: text in "".join(
            e["body"].get("output", "") for e in self.events if e["event"] == "output"
        ), text)  # fmt: skip

    def request(self, command, **arguments):
        number = self._send(command, arguments)
        answer = self._until(lambda: self._responses.get(number), command)
        assert answer["success"], answer
        return answer

    def leave(self):
        self.request("disconnect", terminateDebuggee=False)
        self.close()

    def close(self):
        """Without a word, as a crash does."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()
        self._reader.join(TIMEOUT_S)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def _send(self, command, arguments):
        number = next(self._numbers)
        message = {"seq": number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return number

    def _take(self, name, wanted):
        for position, event in enumerate(self.events):
            body = event.get("body") or {}
            if event["event"] == name and all(body.get(k) == v for k, v in wanted.items()):
                del self.events[position]
                return body or {"event": name}
        return None

    def _until(self, condition, what):
        deadline_s = time.monotonic() + TIMEOUT_S
        with self._changed:
            while True:
                found = condition()
                if found:
                    return found
                left_s = deadline_s - time.monotonic()
                assert left_s > 0, f"the adapter gave no {what}, but {self.events}"
                self._changed.wait(left_s)

    def _read(self):
        stream = self._socket.makefile("rb")
        try:
            while header := stream.readline():
                size = int(header.partition(b":")[2])
                stream.readline()
                message = json.loads(stream.read(size))
                with self._changed:
                    if message["type"] == "response":
                        self._responses[message["request_seq"]] = message
                    elif message["type"] == "event":
                        self.events.append(message)
                    self._changed.notify_all()
        except (OSError, ValueError):
            pass  # the connection was closed
        finally:
            with self._changed:
                self.is_over = True
                self._changed.notify_all()
