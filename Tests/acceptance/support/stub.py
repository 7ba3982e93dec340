"""A gateway that a test plays: it serves the real page, and says of the cluster and in answers what the test wants."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

EXPERTS, LAYERS = 8, [1, 2, 3]


def node(name: str, role: str, **more) -> dict:
    """A node as `GET /cluster` describes it."""
    return {
        "name": name, "role": role, "address": "127.0.0.1:1", "state": "ready", "shardCount": 0, "shardBytes": 0,
        "loadedBytes": 0, "memoryBudgetBytes": 0, "residentBytes": 30 << 20, "load": 0, "instructionSet": "avx2",
        "threadCount": 1, **more,
    }


def worker(number: int, loaded: int = 6 << 20, **more) -> dict:
    """A worker with 8 shards of 6 MiB in all."""
    numbers = {"shardCount": 8, "shardBytes": 6 << 20, "memoryBudgetBytes": 1 << 30, "roundTripMilliseconds": 0.21}
    return node(f"worker-{number}", "worker", loadedBytes=loaded, **{**numbers, **more})


def cluster(**changes) -> dict:
    """A document of `GET /cluster`, of a cluster with two workers that can generate."""
    model = {
        "name": "stub", "family": "qwen3_moe", "digest": "0" * 64, "contextTokensMax": 512, "weightBytes": 12 << 20,
        "layers": 4, "mixtureLayers": LAYERS, "experts": EXPERTS, "expertsPerToken": 2,
    }
    work = {
        "runningSequences": 0, "waitingSequences": 0, "cachedTokens": 16, "cachedTokensMax": 1024, "requests": 3,
        "generatedTokens": 0, "promptTokens": 0, "failedRequests": 0,
    }
    nodes = [node("coordinator", "coordinator"), node("gateway", "gateway"), worker(1), worker(2)]
    return {"isReady": True, "epoch": 1, "model": model, "nodes": nodes, "work": work, **changes}


def experts(token: int) -> list[list[int]]:
    """The experts that the stub's n-th token visits: two of each layer, the first always the same."""
    return [[0, 1 + (token + layer) % (EXPERTS - 1)] for layer in range(len(LAYERS))]


class Answer:
    """One answer of a chat, as the test's script gives it."""

    def __init__(self, handler: BaseHTTPRequestHandler, request: dict):
        self.request = request
        self._handler = handler
        self._tokens = 0
        self._thoughts = 0

    def start(self, byte_count: int | None = None) -> None:
        """Begins the stream; a stream that promises more bytes than it has will look broken off."""
        self._handler.send_response(200)
        if byte_count is not None:
            self._handler.send_header("content-length", str(byte_count))
        self._handler.send_header("content-type", "text/event-stream; charset=utf-8")
        self._handler.send_header("connection", "close")
        self._handler.end_headers()
        self.event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})

    def refuse(self, status: int, message: str, parameter: str | None = None) -> None:
        """Answers with an error instead."""
        error = {"message": message, "type": "server_error", "param": parameter, "code": None}
        send(self._handler, status, {"error": error})

    def event(self, document: dict | str) -> None:
        """Sends one event."""
        data = document if isinstance(document, str) else json.dumps(document)
        self._handler.wfile.write(f"data: {data}\n\n".encode())
        self._handler.wfile.flush()

    def tokens(self, text: str, count: int = 1, tells_experts: bool = True, finish: str | None = None) -> None:
        """Sends a piece of text that completes some tokens."""
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
        if tells_experts:
            choice["routed_experts"] = [experts(token) for token in range(self._tokens, self._tokens + count)]
        self._tokens += count
        self.event({"choices": [choice]})

    def think(self, text: str, count: int = 1) -> None:
        """Sends a piece of reasoning that completes some tokens."""
        told = [experts(token) for token in range(self._tokens, self._tokens + count)]
        self._tokens += count
        self._thoughts += count
        delta = {"reasoning_content": text}
        self.event({"choices": [{"index": 0, "delta": delta, "finish_reason": None, "routed_experts": told}]})

    def done(self) -> None:
        """Ends the stream as it should end."""
        usage = {"prompt_tokens": 5, "completion_tokens": self._tokens, "total_tokens": 5 + self._tokens}
        if self._thoughts:
            usage["completion_tokens_details"] = {"reasoning_tokens": self._thoughts}
        self.event({"choices": [], "usage": usage})
        self.event("[DONE]")

    def say(self, text: str) -> None:
        """A whole answer, a token per word."""
        self.start()
        words = text.split(" ")
        for index, word in enumerate(words):
            self.tokens(word if index == 0 else " " + word, finish="stop" if index == len(words) - 1 else None)
        self.done()


def send(handler: BaseHTTPRequestHandler, status: int, document: dict) -> None:
    """Sends a document."""
    body = json.dumps(document).encode()
    handler.send_response(status)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class StubGateway:
    """Serves on one port of the loopback interface, from `start` to `stop`, and again if wanted.

    `document`, with `document_status`, is what `GET /cluster` says, `script` answers chats, `requests` are the chats
    that came. The files of the page are those of the gateway at `page_url`, with its headers.
    """

    def __init__(self, page_url: str):
        self.document = cluster()
        self.document_status = 200
        self.script: Callable[[Answer], None] = lambda answer: answer.say("I am a stub.")
        self.requests: list[dict] = []
        self._page_url = page_url
        self._port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> "StubGateway":
        """Serves from now on; on the same port as before, if there was one."""
        stub = self

        class Handler(BaseHTTPRequestHandler):
            """Hands each request on to the stub."""

            def do_GET(self):  # pylint: disable=invalid-name
                """The state of the cluster, or a file of the page."""
                stub.get(self)

            def do_POST(self):  # pylint: disable=invalid-name
                """A chat."""
                stub.post(self)

            def log_message(self, *_):
                """Says nothing."""

        class Server(ThreadingHTTPServer):
            """Lets open answers end by themselves; clients that leave are no errors."""

            block_on_close = False
            allow_reuse_address = True

            def handle_error(self, *_):
                """Says nothing."""

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Serves no more: connections are refused from now on."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
        self._server = None

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        """Answers a GET."""
        if handler.path == "/cluster":
            return send(handler, self.document_status, self.document)
        page = httpx.get(self._page_url + handler.path, timeout=30, trust_env=False)
        handler.send_response(page.status_code)
        for name, value in page.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(page.content)

    def post(self, handler: BaseHTTPRequestHandler) -> None:
        """Answers a POST."""
        request = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        self.requests.append(request)
        try:
            self.script(Answer(handler, request))
        except OSError:
            pass  # The client left.
