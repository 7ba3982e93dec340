"""Calls of tools through a whole cluster, with the `openai` Python package."""

import json

import openai
import pytest

from support import reciting_model

TURNS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}:{{ m.content or '' }}"
    "{% for call in m.tool_calls or [] %}{{ call.id }}={{ call.function.arguments.city }}{% endfor %}<|im_end|>"
    "{% endfor %}{% if tools %}SIGN{{ tools | length }}{% endif %}{% if add_generation_prompt %}<|im_start|>{% endif %}"
)
# What a model writes, cut into its tokens, and which of these are special ones.
MODELS = {
    "json": ("<tool_call>", ["I look.\n<tool", "_call>\n{\"name\": \"wea", "ther\", \"arguments\": {\"city\":", " \"Kö",
                             "ln\"}}\n</tool_", "call>"], ()),
    "functions": ("<function=", ["I look.", "\n\n", "<tool_call>", "\n<function=weather>\n<parameter=ci",
                                 "ty>\nKöln\n</parameter", ">\n</function>\n", "</tool_call>"], ()),
    "kimi": ("<|tool_call_argument_begin|>",
             ["I look.", "<|tool_calls_section_begin|>", "<|tool_call_begin|>", "functions.weather:0",
              "<|tool_call_argument_begin|>", "{\"city\":", " \"Köln\"}", "<|tool_call_end|>",
              "<|tool_calls_section_end|>"],
             ("<|tool_calls_section_begin|>", "<|tool_call_begin|>", "<|tool_call_argument_begin|>",
              "<|tool_call_end|>", "<|tool_calls_section_end|>")),
    "channels": ("<|channel|>",
                 ["<|end|>", "<|start|>", "assistant", "<|channel|>", "commentary to=functions.weather ",
                  "<|constrain|>", "json", "<|message|>", "{\"city\":", " \"Köln\"}"],
                 ("<|end|>", "<|start|>", "<|channel|>", "<|constrain|>", "<|message|>")),
}
TOOLS = [{
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}]
QUESTION = {"role": "user", "content": "Weather in Köln?"}


@pytest.fixture(params=MODELS)
def client(request, start_cluster, tmp_path):
    """A client of a cluster whose model calls a tool."""
    sign, parts, special = MODELS[request.param]
    model = reciting_model.write(tmp_path / "model", parts, TURNS.replace("SIGN", sign), special)
    cluster = start_cluster(model, workers=1)
    with openai.OpenAI(base_url=f"{cluster.url}/v1", api_key="none", max_retries=0, timeout=60) as made:
        yield made


def test_a_tool_is_called_and_its_result_taken(client, request):
    said_before = None if "channels" in request.node.name else "I look."
    asked = dict(model="default", messages=[QUESTION], tools=TOOLS, temperature=0)
    answer = client.chat.completions.create(**asked)
    assert answer.choices[0].finish_reason == "tool_calls"
    message = answer.choices[0].message
    assert message.content == said_before
    [call] = message.tool_calls
    assert (call.type, call.function.name) == ("function", "weather")
    assert json.loads(call.function.arguments) == {"city": "Köln"}

    deltas = [event.choices[0] for event in client.chat.completions.create(**asked, stream=True)]
    assert "".join(choice.delta.content or "" for choice in deltas) == (said_before or "")
    [streamed] = [call for choice in deltas for call in choice.delta.tool_calls or []]
    assert (streamed.index, streamed.function.name) == (0, "weather")
    assert streamed.function.arguments == call.function.arguments
    assert deltas[-1].finish_reason == "tool_calls"

    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    following = client.chat.completions.create(**{**asked, "messages": [QUESTION, message, result]})
    assert following.usage.prompt_tokens > answer.usage.prompt_tokens + len("sunny")

    plain = client.chat.completions.create(model="default", messages=[QUESTION], temperature=0)
    assert plain.choices[0].finish_reason == "stop"
    assert plain.choices[0].message.tool_calls is None and "weather" in plain.choices[0].message.content
