"""LangChain's ChatOpenAI."""
import os
from importlib.metadata import version

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

URL, KEY = os.environ["HEADWAY_URL"] + "/v1", os.environ["HEADWAY_KEY"]


@tool
def double(number: int) -> int:
    """Twice a number."""
    return 2 * number


class Animal(BaseModel):
    """An animal."""
    name: str = Field(max_length=12)
    legs: int = Field(ge=0, le=8)


chat = ChatOpenAI(base_url=URL, api_key=KEY, model="story", temperature=0, max_tokens=32)
messages = [SystemMessage("You tell stories."), HumanMessage("Tell me a story about a fox.")]
whole = chat.invoke(messages)
assert whole.content and whole.usage_metadata["output_tokens"] <= 32
assert "".join(chunk.content for chunk in chat.stream(messages)) == whole.content
assert [answer.content for answer in chat.batch([messages, messages])] == [whole.content] * 2

roomy = ChatOpenAI(base_url=URL, api_key=KEY, model="story", temperature=0, max_tokens=400)
called = roomy.bind_tools([double], tool_choice="double").invoke(messages)
call = called.tool_calls[0]
assert call["name"] == "double" and isinstance(call["args"]["number"], int), call
chat.bind_tools([double]).invoke([*messages, called, ToolMessage(str(double.invoke(call["args"])), tool_call_id=call["id"])])

for method in ("json_schema", "function_calling"):
    animal = roomy.with_structured_output(Animal, method=method).invoke(messages)
    assert 0 <= animal.legs <= 8, method

vectors = OpenAIEmbeddings(base_url=URL, api_key=KEY, model="story", check_embedding_ctx_length=False).embed_documents(
    ["a fox", "a bear"])
assert len(vectors) == 2 and len(vectors[0]) == len(vectors[1])
print(f"langchain-openai {version('langchain-openai')}: invoke, stream, batch, tools, structured output, embeddings")
