"""Anthropic's library for Python."""
import os

import anthropic

client = anthropic.Anthropic(base_url=os.environ["HEADWAY_URL"], api_key=os.environ["HEADWAY_KEY"], max_retries=0)
ASK = dict(model="story", system="You tell stories.", max_tokens=32, extra_body={"temperature": 0},
           messages=[{"role": "user", "content": [{"type": "text", "text": "Tell me a story about a fox."}]}])
TOOL = {"name": "weather", "description": "The weather of a town", "input_schema": {
    "type": "object", "properties": {"town": {"enum": ["Paris", "Oslo"]}}, "required": ["town"]}}

whole = client.messages.create(**ASK)
assert whole.content[0].type == "text" and whole.stop_reason in ("end_turn", "max_tokens")
with client.messages.stream(**ASK) as stream:
    text = "".join(stream.text_stream)
    final = stream.get_final_message()
assert text == whole.content[0].text == final.content[0].text
assert final.usage.output_tokens == whole.usage.output_tokens

counted = client.messages.count_tokens(model=ASK["model"], system=ASK["system"], messages=ASK["messages"])
assert counted.input_tokens == whole.usage.input_tokens + (whole.usage.cache_read_input_tokens or 0)

called = client.messages.create(**dict(ASK, max_tokens=400), tools=[TOOL], tool_choice={"type": "tool", "name": "weather"})
use = called.content[-1]
assert called.stop_reason == "tool_use" and use.name == "weather", called
assert use.input["town"] in ("Paris", "Oslo"), called
client.messages.create(**dict(ASK, messages=[
    *ASK["messages"], {"role": "assistant", "content": called.content},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "rain"}]}]), tools=[TOOL])

try:
    client.with_options(api_key="wrong").messages.create(**ASK)
except anthropic.AuthenticationError as error:
    assert error.body["type"] == "error", error.body
else:
    raise AssertionError("expected an error for a wrong key")
try:
    client.messages.create(**dict(ASK, messages=[]))
except anthropic.BadRequestError as error:
    assert error.body["error"]["type"] == "invalid_request_error", error.body
else:
    raise AssertionError("expected an error for no messages")
print(f"anthropic {anthropic.__version__}: messages, stream, tools, counting, errors")
