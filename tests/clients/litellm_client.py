"""LiteLLM, by its OpenAI-compatible and its Anthropic way."""
import os
from importlib.metadata import version

import litellm

URL, KEY = os.environ["HEADWAY_URL"], os.environ["HEADWAY_KEY"]
litellm.telemetry = False
ASK = dict(messages=[{"role": "user", "content": "Tell me a story about a fox."}], temperature=0, max_tokens=24)

texts = []
for model, base in (("openai/story", URL + "/v1"), ("anthropic/story", URL), ("hosted_vllm/story", URL + "/v1")):
    route = dict(model=model, api_base=base, api_key=KEY)
    whole = litellm.completion(**route, **ASK).choices[0].message.content
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in litellm.completion(**route, **ASK, stream=True))
    assert whole and streamed == whole, (model, whole, streamed)
    texts.append(whole)
assert len(set(texts)) == 1, texts

vectors = litellm.embedding(model="openai/story", api_base=URL + "/v1", api_key=KEY, input=["a fox"]).data
assert len(vectors) == 1
try:
    litellm.completion(model="openai/story", api_base=URL + "/v1", api_key="wrong", **ASK)
except litellm.AuthenticationError:
    pass
else:
    raise AssertionError("expected an error for a wrong key")
print(f"litellm {version('litellm')}: as openai, anthropic and hosted_vllm, whole and streamed; embeddings; errors")
