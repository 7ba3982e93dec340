"""A gateway that says what a test wants it to: for what a real cluster does too fast, or not on demand."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ScriptedGateway:
    """Answers every chat with what was said last, once it is ready."""

    def __init__(self, reason: str | None = None):
        # Why the cluster is not ready; nothing if it is.
        self.reason = reason
        # What it thinks before it answers.
        self.thought = ""
        # The bodies of all requests.
        self.requests: list[dict] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            """One connection."""

            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                """Tells nobody."""

            def answer(self, status: int, document: dict) -> None:
                """Sends a document."""
                self.send(status, "application/json", json.dumps(document))

            def send(self, status: int, kind: str, text: str) -> None:
                """Sends a text."""
                data = text.encode()
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):  # pylint: disable=invalid-name
                """Health and state."""
                if self.path == "/cluster":
                    self.answer(200, {"model": {"name": "scripted", "contextTokensMax": 100}, "nodes": []})
                elif gateway.reason:
                    self.answer(503, {"status": "unavailable", "reason": gateway.reason})
                else:
                    self.answer(200, {"status": "ok"})

            def do_POST(self):  # pylint: disable=invalid-name
                """Chats."""
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if gateway.reason:
                    self.answer(503, {"error": {"message": gateway.reason, "type": "x", "code": "unavailable"}})
                    return
                gateway.requests.append(body)
                said = body["messages"][-1]["content"]
                usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
                thoughts = [{"choices": [{"delta": {"reasoning_content": gateway.thought}}]}]
                events = [
                    *(thoughts if gateway.thought else []),
                    {"choices": [{"delta": {"content": "You said: "}}]},
                    {"choices": [{"delta": {"content": said}, "finish_reason": "stop"}]},
                    {"choices": [], "usage": usage},
                ]
                stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
                self.send(200, "text/event-stream", stream)

        class Server(ThreadingHTTPServer):
            """Clients that leave are no errors."""

            daemon_threads = True

            def handle_error(self, *_):
                """Says nothing."""

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """From now on connections are refused."""
        self._server.shutdown()
        self._server.server_close()
