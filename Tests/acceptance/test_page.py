"""The page at / in a real browser: with a real cluster, and with a gateway that does what the test wants."""

import signal
import threading

import httpx
import pytest
from selenium.webdriver.common.keys import Keys

from support import stub
from support.browser import Page, start_browser, stop_browser
from support.hosts import Hosts
from support.processes import wait_until

MISSING = "The server did not tell which experts the tokens of the last answer visited."


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """One browser for all tests of this file."""
    started = start_browser(tmp_path_factory.mktemp("browser"))
    yield started
    stop_browser(started)


@pytest.fixture
def page(driver):
    """A page that is not opened yet."""
    yield Page(driver)
    driver.get("about:blank")


@pytest.fixture
def gateway(cluster):
    """A gateway that the test plays, with the real page."""
    played = stub.StubGateway(cluster.url).start()
    yield played
    played.stop()


@pytest.fixture
def hosts(tmp_path):
    """A cluster each of whose programs the test can end and start again."""
    made = Hosts(tmp_path)
    yield made
    made.end()


# With a real cluster


def test_chat_with_a_cluster(page, cluster):
    page.open(cluster.url).wait_until_ready()
    # The small model never ends by itself, and two turns have to fit its context.
    page.run("document.getElementById('max-tokens').value = 100")
    wait_until(lambda: page.focused() == "question", 20, "the question has no focus")
    page.press("What is 347 + 285?", Keys.ENTER)
    page.wait_for_turn(1, "done")
    assert page.text(".question-text") == "What is 347 + 285?"
    assert page.run("return document.querySelector('.answer-text').textContent.length > 0")
    metrics = page.texts(".metrics li")
    assert any(text.startswith("first token after ") for text in metrics), metrics
    assert any(text.endswith(" tokens/s") for text in metrics) and any(text.endswith(" tokens") for text in metrics)
    assert page.focused() == "question", "one can type on"
    page.ask("And now?")
    page.wait_for_turn(2, "done")
    rows = {text.split()[0] for text in page.texts("#nodes tbody")}
    assert rows == {"coordinator", "gateway", "worker-1", "worker-2", "worker-3"}
    assert all("ready" in text for text in page.texts("#nodes tbody"))
    page.wait_for_text("#phases", "attention", " ms, ", " %")
    assert [line for line in page.console() if not line.startswith(("INFO", "DEBUG"))] == []
    addresses = page.requests()
    assert addresses and [each for each in addresses if not each.startswith(cluster.url + "/")] == []


def test_experts_of_a_cluster(page, cluster):
    """The map counts what the server tells of the same request."""
    body = {"messages": [{"role": "user", "content": "a"}], "max_tokens": 12, "temperature": 0}
    with cluster.client() as client:
        answer = client.post("/v1/chat/completions", json={**body, "return_routed_experts": True}).json()
        model = client.get("/cluster").json()["model"]
    told = answer["choices"][0]["routed_experts"]
    page.open(cluster.url).wait_until_ready()
    page.run("document.getElementById('max-tokens').value = 12")
    page.ask("a")
    page.wait_for_turn(1, "done")
    page.wait(lambda page: page.run("return document.getElementById('token').max") == str(len(told)), "other tokens")
    shown = page.run(
        "return [...document.querySelectorAll('.heat tbody tr')].map((row) =>"
        " [...row.querySelectorAll('td')].map((cell) => Number(cell.textContent)))"
    )
    experts = range(model["experts"])
    layers = range(len(model["mixtureLayers"]))
    assert shown == [[sum(expert in token[layer] for token in told) for expert in experts] for layer in layers]
    assert page.texts(".heat tbody th") == [str(layer) for layer in model["mixtureLayers"]]
    size = f"{model['experts']} experts per layer, {model['expertsPerToken']} for each token"
    assert page.text("#experts-size") == size


def test_gateway_and_worker_are_started_again(page, hosts):
    hosts.start_all().wait_until_ready()
    page.open(hosts.url).wait_until_ready()
    page.ask("One")
    page.wait_for_turn(1, "done")
    hosts.processes["worker-1"].signal(signal.SIGKILL)
    page.wait_for_text("#notice", "cannot generate", "worker-1")
    assert not page.find("#send").is_enabled()
    hosts.start("worker-1").wait_for_line("listening ")
    page.wait_until_ready()
    hosts.processes["gateway"].signal(signal.SIGKILL)
    page.wait_for_text("#notice", "The gateway does not answer, trying again.")
    hosts.start("gateway").wait_for_line("listening ")
    page.wait_until_ready()
    assert page.texts(".question-text") == ["One"], "the conversation is kept"
    page.ask("Two")
    page.wait_for_turn(2, "done")


# With a gateway that the test plays


def test_loading_is_shown_and_ends_by_itself(page, gateway):
    nodes = [stub.node("coordinator", "coordinator"), stub.worker(1, 2 << 20), stub.worker(2, 1 << 20, state="loading")]
    loading = {"isReady": False, "reason": "loading experts: 25 % of 12 MiB"}
    gateway.document = stub.cluster(nodes=nodes, **loading)
    page.open(gateway.url)
    page.wait_for_text("#state", "Loading 25 %")
    page.wait_for_text("#notice", "The cluster is loading the model.", "3.00 MiB of 12.0 MiB, 25 %")
    assert not page.find("#question").is_enabled() and not page.find("#examples button").is_enabled()
    assert page.run("return document.getElementById('notice-progress').value") == 0.25
    gateway.document = stub.cluster(nodes=[*nodes[:2], stub.worker(2, 4 << 20, state="loading")], **loading)
    page.wait_for_text("#notice-numbers", "6.00 MiB of 12.0 MiB, 50 %, ", "MiB/s, ", " left")
    assert "4.00 MiB of 6.00 MiB" in page.text("[data-node=worker-2]")
    gateway.document = stub.cluster()
    page.wait_until_ready()
    assert page.text("#notice") == ""
    assert page.focused() == "question"


def test_reason_is_told(page, gateway):
    reason = "worker-2 does not answer: its certificate is signed by nobody we know"
    dead = stub.worker(2, state="dead", reason=reason)
    nodes = [stub.node("coordinator", "coordinator"), stub.worker(1), dead]
    gateway.document = stub.cluster(isReady=False, reason=reason, nodes=nodes)
    page.open(gateway.url)
    page.wait_for_text("#notice", "cannot generate", "Worker-2 does not answer", "nobody we know")
    assert "dead" in page.text("[data-node=worker-2]") and reason in page.text("[data-node=worker-2]")


def test_error_in_words_and_retry(page, gateway):
    gateway.script = lambda answer: answer.refuse(503, "worker-2 died 3 s ago; try again")
    page.open(gateway.url).wait_until_ready()
    page.ask("Hello")
    page.wait_for_turn(1, "failed")
    assert page.text(".failure p") == "worker-2 died 3 s ago; try again"
    gateway.script = lambda answer: answer.say("Here I am.")
    page.find(".failure button").click()
    page.wait_for_turn(1, "done")
    assert page.text(".answer-text") == "Here I am." and len(page.all(".turn")) == 1
    assert page.focused() == "question"
    assert [request["messages"] for request in gateway.requests] == [[{"role": "user", "content": "Hello"}]] * 2


def break_off(answer, shown):
    answer.start(byte_count=100_000)
    answer.tokens("Half")
    shown.wait(60)


def report(answer, shown):
    answer.start()
    answer.tokens("Half")
    shown.wait(60)
    answer.event({"error": {"message": "worker-1 broke in layer 2", "type": "service_unavailable_error"}})


def forget_the_end(answer, shown):
    answer.start()
    answer.tokens("Half")
    shown.wait(60)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (report, "worker-1 broke in layer 2"),
        (forget_the_end, "The answer ended before it was complete."),
        (break_off, "The connection broke before the answer was complete."),
    ],
)
def test_stream_that_fails(page, gateway, script, words):
    shown = threading.Event()
    gateway.script = lambda answer: script(answer, shown)
    page.open(gateway.url).wait_until_ready()
    page.ask("Hello")
    page.wait_for_text(".answer-text", "Half")
    shown.set()
    page.wait_for_turn(1, "failed")
    assert page.text(".failure p") == words and page.text(".answer-text") == "Half"
    gateway.script = lambda answer: answer.say("Whole.")
    page.ask("Again")
    page.wait_for_turn(2, "done")
    # What failed is not told to the model.
    assert gateway.requests[-1]["messages"] == [{"role": "user", "content": "Again"}]
    assert not [button for button in page.all(".failure button") if button.is_displayed()]


def test_gateway_away_and_back(page, gateway):
    page.open(gateway.url).wait_until_ready()
    page.ask("Hello")
    page.wait_for_turn(1, "done")
    page.find("#question").send_keys("draft")
    gateway.stop()
    page.wait_for_text("#notice", "The gateway does not answer, trying again.")
    assert page.text("#state") == "No answer" and page.text("#cluster-age")
    assert not page.find("#send").is_enabled()
    page.press(Keys.ENTER)
    gateway.start()
    page.wait_until_ready()
    assert page.run("return document.getElementById('question').value") == "draft"
    page.press(Keys.ENTER)
    page.wait_for_turn(2, "done")
    assert [message["content"] for message in gateway.requests[-1]["messages"]] == ["Hello", "I am a stub.", "draft"]


class Endless:
    """An answer that goes on until its client leaves."""

    def __init__(self):
        self.left = threading.Event()

    def __call__(self, answer):
        answer.start()
        try:
            while not self.left.wait(0.02):
                answer.tokens("word ")
        except OSError:
            self.left.set()


@pytest.mark.parametrize("way", ["button", "escape"])
def test_stop(page, gateway, way):
    gateway.script = endless = Endless()
    page.open(gateway.url).wait_until_ready()
    page.ask("Hello")
    page.wait_for_text(".answer-text", "word word")
    assert not page.find("#send").is_displayed()
    if way == "button":
        page.find("#stop").click()
    else:
        page.press(Keys.ESCAPE)
    page.wait_for_turn(1, "stopped")
    assert "stopped by you" in page.texts(".metrics li")
    assert endless.left.wait(20), "the gateway still answers"
    assert page.focused() == "question" and not page.find("#stop").is_displayed()


def test_new_conversation_while_answering(page, gateway):
    gateway.script = endless = Endless()
    page.open(gateway.url).wait_until_ready()
    page.find("#examples button").click()
    page.wait_for_text(".answer-text", "word word")
    page.find("#new-conversation").click()
    assert endless.left.wait(20), "the gateway still answers"
    assert not page.all(".turn") and page.find("#welcome").is_displayed() and page.focused() == "question"
    gateway.script = lambda answer: answer.say("Anew.")
    page.ask("Hello")
    page.wait_for_turn(1, "done")
    assert gateway.requests[-1]["messages"] == [{"role": "user", "content": "Hello"}]


def test_request_says_what_was_set(page, gateway):
    page.open(gateway.url).wait_until_ready()
    page.ask("One")
    page.wait_for_turn(1, "done")
    defaults = {"model": "default", "temperature": 0, "max_tokens": 2048, "stream": True}
    assert defaults.items() <= gateway.requests[-1].items() and gateway.requests[-1]["return_routed_experts"] is True
    page.find("#sampling summary").click()
    page.find("#temperature").clear()
    page.find("#temperature").send_keys("0.7")
    page.find("#max-tokens").clear()
    page.find("#question").send_keys("Two", Keys.SHIFT, Keys.ENTER, Keys.NULL, "lines")
    page.press(Keys.ENTER)
    page.wait_for_turn(2, "done")
    assert gateway.requests[-1]["temperature"] == 0.7 and "max_tokens" not in gateway.requests[-1]
    assert [message["content"] for message in gateway.requests[-1]["messages"]] == ["One", "I am a stub.", "Two\nlines"]
    page.find("#temperature").clear()
    page.find("#temperature").send_keys("9")
    page.find("#sampling summary").click()
    page.ask("Three")
    page.wait(lambda page: page.find("#temperature").is_displayed(), "what is wrong is not in sight")
    assert len(gateway.requests) == 2, "what is wrong is not sent"


def test_text_never_becomes_html(page, gateway):
    gateway.script = lambda answer: answer.say("<script>document.title='bad'</script> <b>bold</b> &amp;")
    page.open(gateway.url).wait_until_ready()
    page.ask("<img src=x onerror=\"document.title='bad'\">")
    page.wait_for_turn(1, "done")
    assert page.text(".question-text") == "<img src=x onerror=\"document.title='bad'\">"
    assert page.text(".answer-text") == "<script>document.title='bad'</script> <b>bold</b> &amp;"
    assert not page.all("#log img, #log b, #log script") and page.driver.title == "Colony"


def test_reasoning_is_shown_apart(page, gateway):
    may_answer = threading.Event()

    def script(answer):
        answer.start()
        answer.think("They ")
        answer.think("greet.")
        may_answer.wait(60)
        answer.tokens("Hello!", finish="stop")
        answer.done()

    gateway.script = script
    page.open(gateway.url).wait_until_ready()
    page.ask("Hi")
    page.wait_for_text(".reasoning-text", "They greet.")
    assert page.text(".reasoning summary") == "Thinking"
    assert page.find(".reasoning-text").is_displayed(), "there is nothing else to read yet"
    may_answer.set()
    page.wait_for_turn(1, "done")
    assert page.text(".answer-text") == "Hello!" and page.text(".reasoning summary") == "Thoughts, 2 tokens"
    assert not page.find(".reasoning-text").is_displayed(), "it makes room for the answer"
    page.find(".reasoning summary").click()
    assert page.text(".reasoning-text") == "They greet."
    for scheme in ("dark", "light"):
        page.show_as(1280, 800, scheme)
        assert page.poor_contrasts() == []
    page.all(".reasoning-text span")[1].click()
    page.wait_for_text("#picked", "2 of 3, “greet.”")
    page.ask("And?")
    page.wait_for_turn(2, "done")
    assert gateway.requests[-1]["messages"][1] == {
        "role": "assistant", "content": "Hello!", "reasoning_content": "They greet.",
    }
    page.ask("Hm?")
    page.wait_for_turn(3, "done")
    assert page.run("return document.querySelectorAll('.reasoning:not([hidden])').length") == 3
    assert page.run("return document.querySelector('.reasoning-text').textContent") == "They greet."


def test_heat_map(page, gateway):
    gateway.script = lambda answer: answer.say("one two three four")
    page.open(gateway.url).wait_until_ready()
    page.ask("Count")
    page.wait_for_turn(1, "done")
    page.wait_for_text("#picked", "all 4 tokens")
    assert page.texts(".heat tbody th") == ["1", "2", "3"], "the layers with experts"
    assert page.texts(".heat thead th") == ["layer"] + [str(expert) for expert in range(stub.EXPERTS)]
    counts = [[sum(e in stub.experts(t)[row] for t in range(4)) for e in range(stub.EXPERTS)] for row in range(3)]
    for row, expected in enumerate(counts, start=1):
        assert page.texts(f".heat tbody tr:nth-child({row}) td") == [str(number) for number in expected]
    assert "4 of 4 tokens" in page.text("#legend")

    page.find("#token").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    page.wait_for_text("#picked", "2 of 4, “ two”")
    assert page.texts("#log .marked") == ["two"]
    chosen = page.run("return [...document.querySelectorAll('td.chosen')].map((cell) => ({ ...cell.dataset }))")
    visited = [{"layer": str(row), "expert": str(e)} for row in range(3) for e in sorted(stub.experts(1)[row])]
    assert chosen == visited
    page.find("#visited summary").click()
    assert page.texts("#visited-list li")[0] == "layer 1: " + ", ".join(map(str, stub.experts(1)[0]))

    page.all(".answer-text span")[3].click()
    page.wait_for_text("#picked", "4 of 4, “ four”")
    page.find("#all-tokens").click()
    page.wait_for_text("#picked", "all 4 tokens")
    assert not page.all("td.chosen") and page.focused() == "token"

    page.run("document.querySelector('.heat td').focus()")
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    page.wait_for_text("#tip", f"layer 2, expert 1: {counts[1][1]} of 4 tokens")
    assert page.run("return document.activeElement.ariaLabel").startswith("layer 2, expert 1: ")
    assert page.text("#experts-size") == "8 experts per layer, 2 for each token"


def colour(page, x: int, y: int) -> list[int]:
    """Of a pixel of the painted map; what lies beyond its right edge counts from there."""
    script = """
        const canvas = document.querySelector(".heat-canvas canvas");
        const [x, y] = [arguments[0] < 0 ? canvas.width + arguments[0] : arguments[0], arguments[1]];
        return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data];
    """
    return page.run(script, x, y)


def test_heat_map_of_many_experts(page, gateway):
    """It is painted, and says in words what a cell shows."""
    gateway.document = stub.cluster(model={**gateway.document["model"], "experts": 64})
    gateway.script = lambda answer: answer.say("one two three four")
    page.open(gateway.url).wait_until_ready()
    page.ask("Count")
    page.wait_for_turn(1, "done")
    page.wait_for_text("#picked", "all 4 tokens")
    assert colour(page, 40, 24) == [15, 61, 140, 255], "the first expert, visited by all tokens"
    assert colour(page, -4, 24) == [234, 240, 248, 255], "the last, visited by none"
    page.find("#token").send_keys(Keys.ARROW_RIGHT)
    page.wait_for_text("#picked", "1 of 4, “one”")
    assert colour(page, 40, 24) == [255, 197, 87, 255], "visited by this token"
    for expected in ("all-tokens", "canvas"):
        assert_next_focus(page, expected)
    page.wait_for_text("#tip", "layer 1, expert 0: 4 of 4 tokens, among them token 1")
    page.press(Keys.ARROW_DOWN, Keys.END)
    page.wait_for_text("#tip", "layer 2, expert 63: 0 of 4 tokens")
    assert page.run("return document.getElementById('cell-words').textContent") == page.text("#tip")
    page.show_as(380, 900, "light")
    page.wait(lambda page: page.run("return document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways")
    page.press(Keys.HOME)
    page.wait_for_text("#tip", "layer 2, expert 0: ")


def test_heat_map_grows_with_the_answer(page, gateway):
    may_end = threading.Event()

    def script(answer):
        answer.start()
        answer.tokens("one")
        answer.tokens("🙂", count=3)
        may_end.wait(60)
        answer.tokens("", count=1, finish="length")
        answer.done()

    gateway.script = script
    page.open(gateway.url).wait_until_ready()
    page.ask("Count")
    page.wait_for_text("#picked", "all 4 tokens")
    assert page.text(".turn .metrics").endswith("4 tokens")
    page.all(".answer-text span")[1].click()
    page.wait_for_text("#picked", "2 of 4, a part of “🙂”")
    may_end.set()
    page.wait_for_turn(1, "done")
    page.find("#token").send_keys(Keys.END)
    page.wait_for_text("#picked", "5 of 5, without text")
    assert "ended at the limit of tokens" in page.texts(".metrics li")


def say_without_experts(answer):
    answer.start()
    answer.tokens("Hello", tells_experts=False, finish="stop")
    answer.done()


def test_server_that_does_not_tell_experts(page, gateway):
    model = {"name": "old", "family": "qwen3_moe", "digest": "", "contextTokensMax": 512, "weightBytes": 1}
    gateway.document = stub.cluster(model=model)
    gateway.script = say_without_experts
    page.open(gateway.url).wait_until_ready()
    page.ask("Hello")
    page.wait_for_turn(1, "done")
    page.wait_for_text("#experts-note", MISSING)
    assert not page.find("#map").is_displayed() and page.text("#experts-size") == ""
    assert "1 token" in page.texts(".metrics li"), "from the usage"


def test_cluster_that_refuses_to_tell_experts(page, gateway):
    def script(answer):
        if "return_routed_experts" in answer.request:
            return answer.refuse(400, "this cluster cannot tell", parameter="return_routed_experts")
        return say_without_experts(answer)

    gateway.script = script
    page.open(gateway.url).wait_until_ready()
    page.ask("Hello")
    page.wait_for_turn(1, "done")
    page.wait_for_text("#experts-note", MISSING)
    assert page.text(".answer-text") == "Hello"


def test_numbers_of_the_cluster(page, gateway):
    phases = {"attention": 0.02, "dispatchWait": 0.06, "someThing_new": 0.02}
    work = {**gateway.document["work"], "steps": 1000, "phaseSeconds": phases, "runningSequences": 2}
    gateway.document = stub.cluster(work=work)
    page.open(gateway.url).wait_until_ready()
    page.wait_for_text("#phases", "0.10 ms on average, over 1,000 steps since the start")
    legend = page.texts(".stack-legend li")
    widths = page.run("return [...document.querySelectorAll('.stack > div')].map((part) => part.offsetWidth)")
    assert sum(widths) > 0.95 * page.run("return document.querySelector('.stack').offsetWidth") and len(widths) == 3
    expected = ["attention\n20.0 µs, 20 %", "waiting for experts\n60.0 µs, 60 %", "some thing new\n20.0 µs, 20 %"]
    assert [text.strip() for text in legend] == expected
    assert page.texts("[data-name=Running] .value") == ["2"] and page.texts("[data-name='KV cache'] .value") == ["2 %"]
    more = {**work, "steps": 1010, "generatedTokens": 500, "phaseSeconds": {**phases, "attention": 0.12}}
    gateway.document = stub.cluster(work=more)
    page.wait_for_text("#phases", "over 10 steps while it last computed", "attention", "10.0 ms, 100 %")
    assert page.texts("[data-name='Tokens/s'] .value") != ["0"]
    assert page.text("[data-node=worker-1]").replace("\n", " ").replace("\t", " ").split() == [
        "worker-1", "worker", "ready", "8", "shards", "6.00", "MiB", "30.0", "MiB", "0.21", "ms", "0", "%",
    ]
    gateway.document = stub.cluster(nodes=gateway.document["nodes"][:3])
    page.wait(lambda page: len(page.all("#nodes tbody")) == 3, "a node that is gone is still shown")


def say_in_all_shades(answer):
    """The first expert of the first layer is visited by 16 tokens, the next by 15, and so on to 1 in the last layer."""
    answer.start()
    for token in range(16):
        visited = [[e for e in range(stub.EXPERTS) if 8 * layer + e + token < 16] for layer in range(3)]
        choice = {"index": 0, "delta": {"content": f"{token} "}, "routed_experts": [visited], "finish_reason": None}
        answer.event({"choices": [choice]})
    answer.event("[DONE]")


def test_answer_of_cluster_that_is_an_error(page, gateway):
    gateway.document = {"error": {"message": "the document is broken"}}
    gateway.document_status = 500
    page.open(gateway.url)
    page.wait_for_text("#notice", "cannot tell the cluster's state, trying again", "the document is broken")
    gateway.document, gateway.document_status = stub.cluster(), 200
    page.wait_until_ready()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1030, 1280, 1600])
def test_looks(page, gateway, scheme, width):
    """In both colour schemes every text can be read, and nothing sticks out of a narrow or a wide window."""
    gateway.script = lambda answer: answer.refuse(500, "It broke.")
    page.open(gateway.url, width, 900, scheme).wait_until_ready()
    assert page.poor_contrasts() == []
    page.ask("Fail")
    page.wait_for_turn(1, "failed")
    gateway.script = say_in_all_shades
    page.ask("Count")
    page.wait_for_turn(2, "done")
    page.find("#token").send_keys(Keys.ARROW_RIGHT)
    page.wait_for_text("#picked", "1 of 16")
    loading = stub.worker(1, 5 << 20, state="loading", reason="reads its shards", load=1, expertRows=1_234_567_890)
    nodes = [*gateway.document["nodes"][:2], loading, stub.worker(2, residentBytes=123 << 30, shardCount=1024)]
    gateway.document = stub.cluster(isReady=False, reason="worker-1 is away", nodes=nodes)
    page.wait_for_text("#notice", "Worker-1 is away.")
    page.wait_for_text("#nodes", "reads its shards", "1,234,567,890 rows")
    assert page.poor_contrasts() == []
    ground = page.run("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(243, 245, 248)") == (scheme == "light")
    assert page.run("return document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"
    panels = "return [...document.querySelectorAll('.panel')]"
    assert page.run(panels + ".filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.id)") == [], "sticks out"
    below = page.run("return document.getElementById('cluster').getBoundingClientRect().left") < width / 3
    assert below == (width == 380), "the cluster is below the chat in a narrow window, beside it in a wide one"


def assert_next_focus(page, expected: str, backwards: bool = False) -> None:
    """Tab moves the focus to an element, and one can see that it has it."""
    page.press_tab(backwards)
    assert page.focused() == expected
    script = "const style = getComputedStyle(document.activeElement); return [style.outlineStyle, style.outlineWidth]"
    style, width = page.run(script)
    assert style != "none" and float(width.removesuffix("px")) >= 2, f"{expected} does not show its focus"


def test_keyboard_alone(page, gateway):
    """Everything can be reached with Tab, shows that it has the focus, and can be used."""
    gateway.script = lambda answer: answer.say("one two three")
    page.open(gateway.url).wait_until_ready()
    page.press("Hello", Keys.ENTER)
    page.wait_for_turn(1, "done")
    page.wait_for_text("#picked", "all 3 tokens")
    for expected in ("log", "new-conversation", "a"):
        assert_next_focus(page, expected, backwards=True)
    page.press(Keys.ENTER)
    wait_until(lambda: page.focused() == "question", 20, "the link at the top leads to the question")
    for expected in ("summary", "token"):
        assert_next_focus(page, expected)
    page.press(Keys.ARROW_RIGHT)
    page.wait_for_text("#picked", "1 of 3, “one”")
    for expected in ("all-tokens", "td", "summary"):
        assert_next_focus(page, expected)
    page.press(Keys.ENTER)
    page.wait_for_text("#visited-list", "layer 1: 0, 1")


def test_modules(page, cluster):
    """Numbers are written as people read them."""
    page.open(cluster.url)
    script = """
        const done = arguments[0];
        import("/page/format.js").then(({ bytes, counted, milliseconds, percent, rate, timeLeft }) => done([
            bytes(0), bytes(999), bytes(1000), bytes(454720), bytes(2 ** 40), counted(1, "token"),
            counted(2000, "token"), milliseconds(0.004), milliseconds(0.474), milliseconds(12.34), milliseconds(1234),
            percent(0), percent(0.001), percent(0.284), percent(1.2), rate(0), rate(123.4), timeLeft(8.1),
            timeLeft(600), timeLeft(9000)]), (error) => done(String(error)));
    """
    assert page.driver.execute_async_script(script) == [
        "0 bytes", "999 bytes", "0.98 KiB", "444 KiB", "1.00 TiB", "1 token", "2,000 tokens", "4.00 µs", "0.47 ms",
        "12.3 ms", "1.23 s", "0 %", "<1 %", "28 %", "100 %", "0", "123", "9 s", "10 min", "3 h",
    ]


def test_not_modified(cluster):
    """Browsers keep the files and ask whether they are still the same."""
    with cluster.client() as client:
        first = client.get("/page/main.js")
        again = client.get("/page/main.js", headers={"if-none-match": first.headers["etag"]})
    assert first.status_code == 200 and first.headers["content-type"].startswith("text/javascript")
    assert again.status_code == 304 and again.content == b""
    assert httpx.get(cluster.url + "/favicon.ico", trust_env=False).headers["content-type"] == "image/svg+xml"
