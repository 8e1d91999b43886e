"""OpenAI's library for Python."""
import asyncio
import os

import openai
import pydantic

URL, KEY = os.environ["HEADWAY_URL"], os.environ["HEADWAY_KEY"]
MESSAGES = [{"role": "user", "content": "Tell me a story about a fox."}]
WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather of a town",
    "parameters": {"type": "object", "properties": {"town": {"enum": ["Paris", "Oslo"]}}, "required": ["town"],
                   "additionalProperties": False}}}


class Animal(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=12)
    legs: int = pydantic.Field(ge=0, le=8)


client = openai.OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0)

assert [model.id for model in client.models.list()] == ["story"]

ask = dict(model="story", messages=MESSAGES, seed=7, temperature=0.8, max_tokens=32)
whole = client.chat.completions.create(**ask)
assert whole.choices[0].finish_reason in ("length", "stop") and whole.usage.completion_tokens <= 32

text, usage = "", None
for chunk in client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}):
    usage = chunk.usage or usage
    for choice in chunk.choices:
        text += choice.delta.content or ""
assert text == whole.choices[0].message.content
assert usage.completion_tokens == whole.usage.completion_tokens

scored = client.chat.completions.create(model="story", messages=MESSAGES, temperature=0, max_tokens=4, logprobs=True,
                                        top_logprobs=3)
for token in scored.choices[0].logprobs.content:
    assert token.token == token.top_logprobs[0].token and len(token.top_logprobs) == 3

called = client.chat.completions.create(model="story", messages=MESSAGES, tools=[WEATHER], tool_choice="required",
                                        parallel_tool_calls=False, seed=1, max_tokens=400)
call = called.choices[0].message.tool_calls[0]
assert called.choices[0].finish_reason == "tool_calls" and call.function.name == "weather"
answered = client.chat.completions.create(
    model="story", max_tokens=8, tools=[WEATHER], messages=[
        *MESSAGES, called.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}])
assert answered.choices[0].message.role == "assistant"

parsed = client.chat.completions.parse(model="story", messages=MESSAGES, response_format=Animal, seed=3, max_tokens=400)
assert 0 <= parsed.choices[0].message.parsed.legs <= 8

with client.chat.completions.stream(model="story", messages=MESSAGES, response_format=Animal, seed=3,
                                    max_tokens=400) as stream:
    final = stream.get_final_completion()
assert final.choices[0].message.parsed == parsed.choices[0].message.parsed

completion = client.completions.create(model="story", prompt=["Once upon", "The fox"], max_tokens=8, temperature=0)
assert [choice.index for choice in completion.choices] == [0, 1]

vectors = client.embeddings.create(model="story", input=["a fox", "a bear"]).data
assert len(vectors) == 2 and abs(sum(x * x for x in vectors[0].embedding) - 1) < 1e-3

response = client.responses.create(model="story", input="Tell me a story.", max_output_tokens=24, temperature=0)
assert response.output_text and response.usage.output_tokens <= 24
streamed = ""
for event in client.responses.create(model="story", input="Tell me a story.", max_output_tokens=24, temperature=0,
                                     stream=True):
    if event.type == "response.output_text.delta":
        streamed += event.delta
assert streamed == response.output_text
assert 0 <= client.responses.parse(model="story", input="An animal.", text_format=Animal,
                                   max_output_tokens=200).output_parsed.legs <= 8

for refused, wrong in ((openai.AuthenticationError, dict(api_key="wrong")), (openai.BadRequestError, {})):
    other = client.with_options(**wrong)
    try:
        other.chat.completions.create(model="story", messages=MESSAGES, temperature="hot")
    except refused as error:
        assert error.body["message"], error.body
    else:
        raise AssertionError(f"expected {refused.__name__}")


async def many():
    asynchronous = openai.AsyncOpenAI(base_url=URL + "/v1", api_key=KEY)
    answers = await asyncio.gather(*(asynchronous.chat.completions.create(**ask) for _ in range(6)))
    return [answer.choices[0].message.content for answer in answers]


assert asyncio.run(many()) == [text] * 6
print(f"openai {openai.__version__}: chat, stream, logprobs, tools, schemas, completions, embeddings, responses, "
      "errors, six at once")
