"""Instructor: objects of classes, by tools, by JSON and by schema."""
import os
from enum import Enum
from importlib.metadata import version

import instructor
import openai
from pydantic import BaseModel, Field


class Kind(str, Enum):
    fox = "fox"
    bear = "bear"


class Animal(BaseModel):
    kind: Kind
    legs: int = Field(ge=0, le=8)


base = openai.OpenAI(base_url=os.environ["HEADWAY_URL"] + "/v1", api_key=os.environ["HEADWAY_KEY"])
modes = (instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA)
for mode in modes:
    animal = instructor.from_openai(base, mode=mode).chat.completions.create(
        model="story", response_model=Animal, max_retries=0, max_tokens=400, temperature=0,
        messages=[{"role": "user", "content": "A fox has four legs."}])
    assert isinstance(animal, Animal), mode
print(f"instructor {version('instructor')}: {', '.join(mode.name for mode in modes)}")
