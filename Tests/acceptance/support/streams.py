"""Server-sent events, read in the background while the test does something to the cluster."""

import json
import threading
import time

import httpx


class Stream:
    """One streamed completion: its events as they come, and when and how it ended."""

    def __init__(self, url: str, body: dict, path: str = "/v1/completions"):
        self.events: list[dict] = []
        self.status = 0
        self.is_done = False
        self.ended_at: float | None = None
        self.failure: Exception | None = None
        self._url = url + path
        self._body = {"model": "default", **body, "stream": True}
        self._first = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            with httpx.stream("POST", self._url, json=self._body, timeout=60, trust_env=False) as response:
                self.status = response.status_code
                for line in response.iter_lines():
                    self._take(line)
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error
        finally:
            self.ended_at = time.monotonic()
            self._first.set()

    def _take(self, line: str) -> None:
        if not line.startswith("data:"):
            return
        data = line[5:].strip()
        if data == "[DONE]":
            self.is_done = True
        else:
            self.events.append(json.loads(data))
        self._first.set()

    def wait_for_first_event(self, seconds: float = 30) -> None:
        """Waits until the answer has begun."""
        assert self._first.wait(seconds), f"no event within {seconds} s"
        assert self.failure is None, f"the stream broke: {self.failure!r}"
        assert self.status == 200 and self.events, f"status {self.status}, events {self.events}"

    def wait_for_end(self, seconds: float) -> None:
        """Waits until the stream has ended."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"the stream still hangs after {seconds} s"

    @property
    def error(self) -> dict | None:
        """The error that the stream ended with."""
        return self.events[-1].get("error") if self.events else None

    @property
    def text(self) -> str:
        """The text of the first choice."""
        return "".join(choice["text"] for event in self.events for choice in event.get("choices", []))
