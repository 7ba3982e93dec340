"""What people already have: the `openai` Python package against the gateway."""

import json
import re

import openai
import pytest

from support import checkpoints
from support.cluster import Cluster
from support.processes import wait_until


@pytest.fixture
def client(cluster):
    """A client as anybody would make it; without retries, so that an error is seen as it is."""
    with openai.OpenAI(base_url=f"{cluster.url}/v1", api_key="none", max_retries=0, timeout=60) as made:
        yield made


def test_models(client):
    models = client.models.list().data
    assert [model.id for model in models] == [checkpoints.DEFAULT.name]
    assert client.models.retrieve(checkpoints.DEFAULT.name).id == checkpoints.DEFAULT.name
    assert client.models.retrieve("default").id == checkpoints.DEFAULT.name


def test_completion(client):
    answer = client.completions.create(
        model="default", prompt="count the tokens", max_tokens=8, temperature=0, extra_body={"ignore_eos": True}
    )
    assert answer.object == "text_completion"
    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].text
    assert answer.usage.completion_tokens == 8
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 8


def test_streamed_completion_equals_the_whole_one(client):
    request = dict(model="default", prompt="the gateway", max_tokens=24, temperature=0, extra_body={"ignore_eos": True})
    whole = client.completions.create(**request)
    events = list(client.completions.create(**request, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.text for event in events for choice in event.choices) == whole.choices[0].text
    assert [choice.finish_reason for event in events for choice in event.choices][-1] == "length"
    assert not events[-1].choices and events[-1].usage == whole.usage


def test_several_choices_and_seeds(client):
    request = dict(
        model="default", prompt="a", max_tokens=12, temperature=1.5, n=2, seed=7, top_p=1.0,
        extra_body={"ignore_eos": True, "top_k": 0},
    )
    first, second = client.completions.create(**request), client.completions.create(**request)
    texts = [choice.text for choice in first.choices]
    assert [choice.index for choice in first.choices] == [0, 1]
    assert texts == [choice.text for choice in second.choices], "the same seed gives the same answer"
    assert texts[0] != texts[1], "choices differ"
    alone = client.completions.create(**{**request, "n": 1})
    assert alone.choices[0].text == texts[0], "the first choice does not depend on how many there are"


def test_several_prompts(client):
    prompts = [checkpoints.prompt_ids(5), checkpoints.prompt_ids(9)]
    request = dict(model="default", max_tokens=4, temperature=0, extra_body={"ignore_eos": True})
    together = client.completions.create(prompt=prompts, **request)
    apart = [client.completions.create(prompt=prompt, **request).choices[0].text for prompt in prompts]
    assert [choice.text for choice in together.choices] == apart


def test_stop_string_ends_the_answer_before_it(client):
    request = dict(
        model="default", prompt=checkpoints.prompt_ids(12), max_tokens=48, temperature=0,
        extra_body={"ignore_eos": True},
    )
    text = client.completions.create(**request).choices[0].text
    # Random weights write half characters too; a stop string has whole ones.
    found = re.compile(r"[ -~]{3}").search(text, 4)
    assert found, f"choose another prompt: {text!r}"
    stop = found.group()
    for stream in (False, True):
        answer = client.completions.create(**request, stop=[stop], stream=stream)
        choices = [choice for event in answer for choice in event.choices] if stream else answer.choices
        assert "".join(choice.text for choice in choices) == text[: text.index(stop)]
        assert choices[-1].finish_reason == "stop"


def test_logprobs_of_completions(client):
    answer = client.completions.create(
        model="default", prompt=checkpoints.prompt_ids(6), max_tokens=5, temperature=0, logprobs=3, echo=True,
        extra_body={"ignore_eos": True, "return_tokens_as_token_ids": True},
    )
    logprobs = answer.choices[0].logprobs
    assert len(logprobs.tokens) == len(logprobs.token_logprobs) == len(logprobs.top_logprobs) == 11
    assert [int(token.removeprefix("token_id:")) for token in logprobs.tokens[:6]] == checkpoints.prompt_ids(6)
    assert logprobs.token_logprobs[0] is None, "nothing precedes the first token"
    for token, logprob, top in list(zip(logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs))[6:]:
        assert logprob <= 0 and 3 <= len(top) <= 4
        assert top[token] == logprob == max(top.values()), "greedy takes the likeliest"


def test_chat(client):
    answer = client.chat.completions.create(
        model="default", messages=[{"role": "user", "content": "Swift"}], max_completion_tokens=6, temperature=0,
        logprobs=True, top_logprobs=2, extra_body={"ignore_eos": True},
    )
    choice = answer.choices[0]
    assert answer.object == "chat.completion" and choice.message.role == "assistant"
    assert choice.finish_reason == "length" and answer.usage.completion_tokens == 6
    assert len(choice.logprobs.content) == 6
    assert all(len(entry.top_logprobs) == 2 for entry in choice.logprobs.content)
    # The template of the fixture: <|im_start|>user\n…<|im_end|>\n<|im_start|>assistant\n
    rendered = client.completions.create(
        model="default", prompt="<|im_start|>user\nSwift<|im_end|>\n<|im_start|>assistant\n", max_tokens=6,
        temperature=0, extra_body={"ignore_eos": True},
    )
    assert rendered.choices[0].text == choice.message.content
    assert rendered.usage == answer.usage


def test_streamed_chat(client):
    request = dict(
        model="default", messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "and?"}],
        max_tokens=10, temperature=0, extra_body={"ignore_eos": True},
    )
    whole = client.chat.completions.create(**request).choices[0].message.content
    events = list(client.chat.completions.create(**request, stream=True))
    deltas = [choice.delta for event in events for choice in event.choices]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == whole
    assert events[-1].choices[0].finish_reason == "length"


@pytest.fixture(scope="module")
def thinker(tmp_path_factory):
    """A client of a model whose template opens its reasoning; its weights are random, so that it ends it at random."""
    model = checkpoints.copy(tmp_path_factory.mktemp("thinker") / "model")
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    marks = [dict(tokenizer["added_tokens"][0], id=318 + i, content=f"<{'/' * i}think>", special=False) for i in (0, 1)]
    tokenizer["added_tokens"] += marks
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    (model / "chat_template.jinja").write_text(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
        "{% if enable_thinking is not false %}<think>\n{% endif %}{% endif %}"
    )
    running = Cluster(model, tmp_path_factory.mktemp("thinker-state") / "state", workers=2)
    try:
        running.wait_until_ready()
        with openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0, timeout=60) as made:
            yield made
        assert running.stop() == 0, running.process.transcript()
    finally:
        running.end()


def thought(request: dict, seed: int, **more) -> dict:
    """A request whose answer sooner or later holds the closing mark."""
    body = {"ignore_eos": True, "top_k": 0, **more}
    return dict(request, seed=seed, extra_body=body, temperature=1, top_p=1, logit_bias={"319": 4})


REQUEST = dict(model="default", messages=[{"role": "user", "content": "Why?"}], max_tokens=40)


def test_reasoning_is_told_from_the_answer(thinker):
    kinds = set()
    for seed in range(8):
        raw = thinker.chat.completions.create(**thought(REQUEST, seed, reasoning_format="none"))
        text = raw.choices[0].message.content
        assert not hasattr(raw.choices[0].message, "reasoning_content") and raw.usage.completion_tokens_details is None
        whole = thinker.chat.completions.create(**thought(REQUEST, seed))
        message = whole.choices[0].message
        before, mark, after = text.partition("</think>")
        # Marks that close what is closed leave nothing either.
        assert message.content == re.sub(r"^(?:[\t\n\v\f\r ]|</think>)*", "", after)
        reasoning = getattr(message, "reasoning_content", "")
        assert reasoning == before.strip("\t\n\v\f\r ")
        assert whole.usage.completion_tokens == raw.usage.completion_tokens == 40
        reasoned = whole.usage.completion_tokens_details.reasoning_tokens
        assert (0 < reasoned < 40) if after else reasoned > 0
        kinds.add(bool(mark) and bool(reasoning))
        events = list(
            thinker.chat.completions.create(
                **thought(REQUEST, seed), stream=True, stream_options={"include_usage": True}
            )
        )
        deltas = [choice.delta for event in events for choice in event.choices]
        assert "".join(delta.content or "" for delta in deltas) == message.content
        assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == reasoning
        assert events[-1].usage == whole.usage
    assert True in kinds, "no answer had both: choose another bias"


def test_reasoning_that_is_not_wanted_and_history(thinker):
    hidden = thinker.chat.completions.create(**thought(REQUEST, 1, include_reasoning=False))
    shown = thinker.chat.completions.create(**thought(REQUEST, 1))
    assert hidden.choices[0].message.content == shown.choices[0].message.content
    assert not hasattr(hidden.choices[0].message, "reasoning_content")
    said = {"role": "assistant", "content": "So.", "reasoning_content": "Hm."}
    conversation = [*REQUEST["messages"], said, {"role": "user", "content": "And?"}]
    answer = thinker.chat.completions.create(
        model="default", messages=conversation, max_tokens=1, extra_body={"return_token_ids": True}
    )
    prompt = "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n<think>Hm.</think>So.<|im_end|>\n"
    prompt += "<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n<think>\n"
    rendered = thinker.completions.create(
        model="default", prompt=prompt, max_tokens=1, extra_body={"return_token_ids": True}
    )
    assert answer.prompt_token_ids == rendered.choices[0].prompt_token_ids


def test_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.completions.create(model="gpt-none", prompt="a")
    assert caught.value.code == "model_not_found" and caught.value.param == "model"
    assert caught.value.type == "invalid_request_error"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-none")


def test_prompt_longer_than_the_context(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="default", prompt=checkpoints.prompt_ids(600), max_tokens=1)
    assert caught.value.code == "context_length_exceeded" and caught.value.param == "prompt"
    assert "600" in caught.value.message and "512" in caught.value.message, "says how long, and how long it may be"


@pytest.mark.parametrize("token", [320, 2**31 - 1])
def test_token_out_of_range(client, token):
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="default", prompt=[5, token], max_tokens=1)
    assert caught.value.param == "prompt" and str(token) in caught.value.message and "320" in caught.value.message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -1), ("temperature", "hot"), ("top_p", 2), ("n", 0), ("max_tokens", -1), ("logprobs", 21),
        ("prompt", []), ("prompt", [-1]), ("prompt", [1.5]), ("stop", [1]), ("stream", "yes"),
    ],
)
def test_field_out_of_range(client, field, value):
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(**{"model": "default", "prompt": "a", "max_tokens": 1, field: value})
    assert caught.value.type == "invalid_request_error" and caught.value.param == field


def test_what_would_change_the_answer_is_refused_and_the_rest_ignored(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="default", prompt="a", max_tokens=1, extra_body={"guided_regex": "a+"})
    assert caught.value.param == "guided_regex"
    client.completions.create(model="default", prompt="a", max_tokens=1, user="me", extra_body={"no_such_field": 1})


def test_client_that_leaves_frees_its_place(client, cluster):
    before = cluster.status()["work"]["runningSequences"]
    stream = client.completions.create(
        model="default", prompt="a", max_tokens=400, stream=True, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    stream.close()
    wait_until(lambda: cluster.status()["work"]["runningSequences"] == before, 10, "the sequence still runs")
