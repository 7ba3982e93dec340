"""`clusterctl chat`, on a terminal and without, and what `clusterctl generate` has in common with it."""

import json
import os
import signal

import pytest

from support import checkpoints
from support.processes import executable, free_port, run, wait_until
from support.scripted_gateway import ScriptedGateway
from support.terminal import CTRL_C, CTRL_D, ENTER, PASTE_BEGIN, PASTE_END, UP, Terminal

LOADING = "loading experts: 40 % of 1.1 GiB, 150 MiB/s, 5 s left"
# To this question the greedy answer of a model that ends with this token goes on to the end of its context.
ENDLESS_QUESTION, RARE_TOKEN = "Tell me everything", 319


@pytest.fixture
def chat(tmp_path):
    """Starts chats on terminals that end with the test: `chat("--url", url)`."""
    started: list[Terminal] = []

    def start(*options: str, environment: dict[str, str] | None = None) -> Terminal:
        started.append(Terminal([executable("clusterctl"), "chat", *options], tmp_path / "home", environment))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture
def gateway():
    """A gateway that is ready and repeats what is said."""
    scripted = ScriptedGateway()
    yield scripted
    scripted.stop()


@pytest.fixture
def endless_model(tmp_path):
    """A model whose answers do not end before its context, which takes minutes."""
    target = checkpoints.with_long_context(tmp_path / "endless")
    (target / "generation_config.json").write_text(json.dumps({"eos_token_id": RARE_TOKEN}))
    return checkpoints.change_config(target, eos_token_id=RARE_TOKEN, max_position_embeddings=131_072)


def chat_without_terminal(text: str, *options: str):
    """A chat whose lines come from a file."""
    return run([executable("clusterctl"), "chat", *options], text=text)


# On a terminal


def test_answers_stream_and_ctrl_d_leaves(cluster, chat):
    terminal = chat("--url", cluster.url, "--max-tokens", "16", "--temperature", "0")
    terminal.wait_for_prompt()
    assert f"model {checkpoints.DEFAULT.name}, 3 workers, context of 512 tokens" in terminal.text
    first = terminal.ask("go on", until="first after")
    assert " tokens" in first
    # Greedy, and nothing said before: the same question has the same answer.
    terminal.ask("/new")
    assert terminal.ask("go on", until="first after").splitlines()[1] == first.splitlines()[1]
    terminal.send(CTRL_D)
    assert terminal.wait() == 0
    assert terminal.modes() == terminal.modes_before


def within_an_endless_answer(start_cluster, chat, endless_model):
    """A cluster, a chat that is being answered without end, and where in its text the turn began."""
    cluster = start_cluster(model=endless_model, workers=2)
    terminal = chat("--url", cluster.url, "--temperature", "0")
    terminal.wait_for_prompt()
    since = terminal.send(ENDLESS_QUESTION + ENTER)
    wait_until(lambda: len(terminal.text[since:]) > 2000, what=lambda: terminal.raw[-3000:])
    return cluster, terminal, since


def test_ctrl_c_stops_the_answer_and_not_the_chat(start_cluster, chat, endless_model):
    cluster, terminal, since = within_an_endless_answer(start_cluster, chat, endless_model)
    terminal.send(CTRL_C)
    terminal.wait_for("stopped; /undo forgets this turn", since)
    terminal.wait_for_prompt(since)
    wait_until(lambda: cluster.status()["work"]["runningSequences"] == 0, 10, "the cluster goes on with the answer")
    # The next turn is as any other; what was typed is shown again.
    terminal.ask("/set max-tokens 8")
    assert "8 tokens" in terminal.ask("And now?", until="cut at max-tokens 8")
    assert "Ctrl-D or /quit leaves" in terminal.ask(CTRL_C, until="leaves")
    terminal.send("/quit" + ENTER)
    assert terminal.wait() == 0
    assert terminal.modes() == terminal.modes_before


def test_a_killed_worker_is_an_error_in_words(start_cluster, chat, endless_model):
    cluster, terminal, since = within_an_endless_answer(start_cluster, chat, endless_model)
    os.kill(cluster.pids()["worker-1"], signal.SIGKILL)
    terminal.wait_for("/retry sends your message again", since)
    terminal.wait_for_prompt(since)
    assert "worker-1" in terminal.text[since:].replace("\n", "")
    # The next try waits for the worker, and says so; nobody has to.
    since = terminal.send("/retry" + ENTER)
    terminal.wait_for("waiting for the cluster: node worker-1 is", since)
    terminal.send(CTRL_C)
    terminal.wait_for("stopped", since)
    terminal.wait_for_prompt(since)
    # Without a gateway there is nothing to wait for.
    assert cluster.stop() == 0
    assert "cannot reach the gateway" in terminal.ask("/retry", until="/retry sends")
    terminal.send(CTRL_D)
    assert terminal.wait() == 0


def test_a_loading_cluster_is_waited_for(chat, gateway):
    gateway.reason = LOADING
    terminal = chat("--url", gateway.url)
    terminal.wait_for(f"waiting for the cluster: {LOADING}")
    assert not terminal.text.endswith("> ")
    gateway.reason = LOADING.replace("40 %", "90 %")
    terminal.wait_for("90 % of 1.1 GiB")
    gateway.reason = None
    terminal.wait_for_prompt()
    assert "You said: hello" in terminal.ask("hello", until="2 tokens")
    # It may happen again between two turns: the message is sent once the cluster is ready.
    gateway.reason = LOADING
    since = terminal.send("again" + ENTER)
    terminal.wait_for(LOADING, since)
    gateway.reason = None
    terminal.wait_for("You said: again", since)


def test_ctrl_c_ends_the_wait_at_the_beginning(chat, gateway):
    gateway.reason = LOADING
    terminal = chat("--url", gateway.url)
    terminal.wait_for(LOADING)
    terminal.send(CTRL_C)
    assert terminal.wait() == -signal.SIGINT
    assert terminal.modes() == terminal.modes_before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_signals_leave_the_terminal_in_order(chat, gateway, number):
    terminal = chat("--url", gateway.url)
    terminal.wait_for_prompt()
    terminal.send("half a mess")
    terminal.wait_for("half a mess")
    terminal.popen.send_signal(number)
    assert terminal.wait() == -number
    assert terminal.modes() == terminal.modes_before


def test_lines_are_edited_joined_and_brought_back(chat, gateway):
    terminal = chat("--url", gateway.url)
    terminal.wait_for_prompt()
    terminal.ask("wörld 你好\x01hello \x05!", until="You said")
    terminal.ask("one \\" + ENTER + "two", until="You said")
    terminal.ask(PASTE_BEGIN + "a\rb\tc\nd" + PASTE_END, until="You said")
    terminal.ask(UP + UP, until="You said")
    asked = [request["messages"][-1]["content"] for request in gateway.requests]
    assert asked == ["hello wörld 你好!", "one \ntwo", "a\nb c\nd", "one \ntwo"]
    since = terminal.send("dropped")
    terminal.wait_for("dropped", since)
    assert "leaves" not in terminal.ask(CTRL_C)
    terminal.send(CTRL_D)
    assert terminal.wait() == 0
    # The next chat remembers.
    second = chat("--url", gateway.url)
    second.wait_for_prompt()
    second.ask(UP + UP, until="You said")
    assert gateway.requests[-1]["messages"] == [{"role": "user", "content": "a\nb c\nd"}]


def test_thoughts_are_dim_and_stay_in_the_conversation(chat, gateway):
    gateway.thought = "Hm\x1b[31m, a greeting."
    terminal = chat("--url", gateway.url)
    terminal.wait_for_prompt()
    answered = terminal.ask("hello", until="first after")
    assert "thinking:\nHm[31m, a greeting.\n\nYou said: hello" in answered.replace("\r", "")
    assert "\x1b[2mHm[31m, a greeting.\x1b[0m" in terminal.raw
    terminal.ask("and?", until="first after")
    said = {"role": "assistant", "content": "You said: hello", "reasoning_content": gateway.thought}
    assert gateway.requests[-1]["messages"][1] == said
    # Who reads an answer from a file wants nothing else in it.
    assert chat_without_terminal("hello\n", "--url", gateway.url).stdout == "You said: hello\n"
    assert run([executable("clusterctl"), "generate", "--url", gateway.url, "hello"]).stdout == "You said: hello\n"


def test_commands(chat, gateway, tmp_path):
    terminal = chat("--url", gateway.url, "--system", "be brief")
    terminal.wait_for_prompt()
    assert "/retry" in terminal.ask("/help", until="/quit")
    assert "no command /nonsense" in terminal.ask("/nonsense", until="no command")
    assert "must be a number from 0 to 2" in terminal.ask("/set temperature 9", until="must be")
    terminal.ask("/set temperature 0.5")
    terminal.ask("first", until="2 tokens")
    terminal.ask("second", until="2 tokens")
    terminal.ask("/undo", until="forgotten")
    terminal.ask("/system be kind", until="told so")
    terminal.ask("third", until="2 tokens")
    assert gateway.requests[-1]["temperature"] == 0.5
    said = [(message["role"], message["content"]) for message in gateway.requests[-1]["messages"]]
    assert said == [("system", "be kind"), ("user", "first"), ("assistant", "You said: first"), ("user", "third")]
    assert "context: 7 of 100 tokens" in terminal.ask("/stats", until="context:")
    terminal.ask(f"/save {tmp_path}/chat.json", until="written to")
    saved = json.loads((tmp_path / "chat.json").read_text())["messages"]
    assert [message["content"] for message in saved][-2:] == ["third", "You said: third"]
    terminal.ask(f"/save {tmp_path}/nowhere/chat.txt", until="cannot write")
    terminal.ask("/new")
    terminal.ask("fourth", until="2 tokens")
    assert len(gateway.requests[-1]["messages"]) == 2


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_color_only_where_it_is_wanted(chat, gateway, variables):
    colored, plain = chat("--url", gateway.url), chat("--url", gateway.url, environment=variables)
    for terminal in (colored, plain):
        terminal.wait_for("Ctrl-D leaves")
        terminal.wait_for("> ")
        since = terminal.send("hello" + ENTER)
        terminal.wait_for("2 tokens", since)
    assert "\x1b[2m" in colored.raw and "\x1b[2m" not in plain.raw
    if variables.get("TERM") == "dumb":
        assert "\x1b" not in plain.raw


# Without a terminal


def test_each_line_is_a_turn(gateway):
    result = chat_without_terminal("hello\n\ntwo \\\nlines\nlast", "--url", gateway.url)
    assert result.returncode == 0
    assert result.stdout == "You said: hello\nYou said: two \nlines\nYou said: last\n"
    assert result.stderr == ""
    assert len(gateway.requests[-1]["messages"]) == 5


def test_the_real_gateway_without_a_terminal(cluster):
    result = chat_without_terminal("hello\nand?\n", "--url", cluster.url, "--max-tokens", "4", "--temperature", "0")
    assert result.returncode == 0 and result.stdout.count("\n") >= 2
    assert "> " not in result.stderr and "\x1b" not in result.stdout + result.stderr


def test_the_oldest_turns_are_left_out_when_the_context_is_full(cluster):
    question = "the tokens of the gateway " * 5
    result = chat_without_terminal(
        f"{question}\n" * 8, "--url", cluster.url, "--max-tokens", "8", "--temperature", "0"
    )
    assert result.returncode == 0, result.stderr
    assert "longer than the model's context: the oldest" in result.stderr
    # A message that is too long by itself is not the conversation's fault.
    result = chat_without_terminal("many tokens " * 500, "--url", cluster.url)
    assert result.returncode == 1 and "the context of 512 tokens has room for" in result.stderr


def test_nobody_answers():
    for command in (["chat"], ["generate", "hello"]):
        url = f"http://127.0.0.1:{free_port()}"
        result = run([executable("clusterctl"), *command, "--url", url])
        assert result.returncode == 3 and result.stdout == ""
        assert "Connection refused" in result.stderr and "clusterctl up --model PATH" in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [["chat"], ["generate", "hello"]], ids=["chat", "generate"])
def test_not_ready_and_not_waiting(gateway, command):
    gateway.reason = LOADING
    result = run([executable("clusterctl"), *command, "--url", gateway.url, "--no-wait"])
    assert result.returncode == 1 and result.stdout == ""
    assert f"the cluster is not ready: {LOADING}" in result.stderr


@pytest.mark.parametrize(
    "options",
    [["--temperature", "3"], ["--top-p", "0"], ["--max-tokens", "0"], ["--template", "x"], ["--url", "ftp://a"]],
)
def test_bad_usage(options):
    for command in (["chat"], ["generate", "hello"]):
        result = run([executable("clusterctl"), *command, *options])
        assert result.returncode == 2 and result.stderr


def test_generate_passes_everything_on(gateway):
    options = ["--system", "be brief", "--temperature", "0.5", "--top-p", "0.9", "--seed", "4", "--max-tokens", "9"]
    options += ["--model", "scripted", "--template", "enable_thinking=false", "--stats"]
    result = run([executable("clusterctl"), "generate", "--url", gateway.url, *options], text="from standard input")
    assert result.stdout == "You said: from standard input\n" and "2 tokens" in result.stderr
    request = gateway.requests[-1]
    assert request["messages"][0] == {"role": "system", "content": "be brief"}
    expected = {"temperature": 0.5, "top_p": 0.9, "seed": 4, "max_tokens": 9, "model": "scripted"}
    assert {name: request[name] for name in expected} == expected
    assert request["chat_template_kwargs"] == {"enable_thinking": False}


def test_a_model_without_a_template_continues_texts(start_cluster, tmp_path):
    model = checkpoints.copy(tmp_path / "plain")
    path = model / "tokenizer_config.json"
    tokenizer = json.loads(path.read_text())
    del tokenizer["chat_template"]
    path.write_text(json.dumps(tokenizer))
    cluster = start_cluster(model=model, workers=0)
    result = run([executable("clusterctl"), "generate", "once", "--url", cluster.url, "--max-tokens", "4"])
    assert result.returncode == 0 and result.stdout.strip(), result.stderr
    refused = run([executable("clusterctl"), "generate", "once", "--url", cluster.url, "--chat"])
    assert refused.returncode == 1 and "template" in refused.stderr
    assert chat_without_terminal("hello\n", "--url", cluster.url).returncode == 1
