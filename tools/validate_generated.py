#!/usr/bin/env python3
"""Texts that `headway serve` generates for random JSON schemas, validated with PyPI's jsonschema.

Schemas that are refused do not count. Every text that is not cut must parse and be valid; exit status 1 when one is
not. How many were cut, because even the shortest text takes more tokens, is printed."""
import argparse
import collections
import decimal
import json
import pathlib
import random
import re
import shutil
import sys

import jsonschema

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "server"))
import server_process  # noqa: E402

NAMES = ["name", "age", "id", "x-a", "\u00fc", "list", "a b", "k\"q"]
WORDS = ["yes", "no", "fox", "", "\u20ac", "a\\b", "12"]
FORMATS = ["date", "ipv4", "ipv6", "uuid", "email", "time"]


class Schemas:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def some(self, values, most):
        return self.random.sample(values, self.random.randint(0, min(most, len(values))))

    def limits(self, schema, least, most, largest):
        """Two keywords of which either may be missing."""
        low = self.random.randint(0, largest)
        if self.random.random() < 0.5:
            schema[least] = low
        if self.random.random() < 0.7:
            schema[most] = low + self.random.randint(0, largest)
        return schema

    def string(self):
        schema = {"type": "string"}
        kind = self.random.randrange(4)
        if kind == 0:
            schema["pattern"] = self.random.choice(["^[a-c]{2,4}$", "^x", "y$", "[0-9]-[0-9]", "^(ab|cd)+$"])
        if kind == 1:
            schema["format"] = self.random.choice(FORMATS)
        return self.limits(schema, "minLength", "maxLength", 12) if kind in (0, 2) else schema

    def number(self):
        schema = {"type": self.random.choice(["integer", "number"])}
        low = self.random.choice([-1000, -5, 0, 0.5, 3, 100])
        schema[self.random.choice(["minimum", "exclusiveMinimum"])] = low
        if self.random.random() < 0.7:
            schema[self.random.choice(["maximum", "exclusiveMaximum"])] = low + self.random.choice([1.5, 2, 10, 12345])
        if self.random.random() < 0.3:
            schema["multipleOf"] = self.random.choice([2, 5, 0.5, 0.25])
        return schema

    def array(self, depth):
        schema = self.limits({"type": "array"}, "minItems", "maxItems", 3)
        if self.random.random() < 0.4:
            schema["prefixItems"] = [self.schema(depth - 1) for _ in range(self.random.randint(1, 2))]
        if self.random.random() < 0.8:
            schema["items"] = self.schema(depth - 1)
        if self.random.random() < 0.15:
            schema["contains"] = {"const": self.random.choice(WORDS)}
        return schema

    def object(self, depth):
        names = self.some(NAMES, 4) or ["name"]
        schema = {"type": "object", "properties": {name: self.schema(depth - 1) for name in names},
                  "required": self.some(names, len(names))}
        if self.random.random() < 0.4:
            schema["additionalProperties"] = self.random.choice([False, {"type": "integer", "minimum": 0, "maximum": 9}])
        if self.random.random() < 0.15:
            schema["patternProperties"] = {"^p[0-9]$": {"type": "boolean"}}
        if self.random.random() < 0.15:
            schema["dependentRequired"] = {names[0]: [self.random.choice(names)]}
        if self.random.random() < 0.2:
            schema["maxProperties"] = len(schema["required"]) + self.random.randint(0, 2)
        if self.random.random() < 0.2:
            schema["minProperties"] = self.random.randint(1, 3)
        if self.random.random() < 0.1:
            schema["propertyNames"] = {"enum": names + self.some(NAMES, 2)}
        if self.random.random() < 0.1:
            schema["not"] = {"additionalProperties": {"type": "integer", "maximum": 4}}
        return schema

    def combined(self, depth):
        parts = [self.schema(depth - 1) for _ in range(2)]
        kind = self.random.choice(["anyOf", "oneOf", "allOf", "not", "if"])
        if kind == "not":
            return {**parts[0], "not": {"enum": self.some(WORDS, 3) or [1]}}
        if kind == "if":
            return {"if": {"type": "string"}, "then": {"maxLength": 4}, "else": parts[0], **self.scalar_types()}
        if kind == "allOf":
            return {"allOf": [parts[0], {"not": {"const": "no"}}]}
        return {kind: parts}

    def scalar_types(self):
        return {"type": self.random.choice([["string", "integer"], ["string", "null"], ["boolean", "string"]])}

    def schema(self, depth):
        makers = [self.string, self.number, lambda: {"enum": self.some(WORDS + [1, 2.5, None, True], 4) or ["one"]},
                  lambda: {"type": self.random.choice(["boolean", "null"])}, lambda: {"$ref": "#/$defs/leaf"}]
        if depth > 0:
            makers += [lambda: self.array(depth), lambda: self.object(depth), lambda: self.object(depth),
                       lambda: self.combined(depth)]
        return self.random.choice(makers)()

    def whole(self):
        leaf = self.random.choice([self.string, self.number])()
        return {**self.object(self.random.randint(1, 3)), "$defs": {"leaf": leaf}}


def is_time(text):
    """RFC 3339's full-time, of any number of digits; jsonschema's own check knows draft 3's, without a zone."""
    match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[zZ]|[+-](\d\d):(\d\d))", text)
    if not match:
        return False
    hour, minute, second, zone_hour, zone_minute = (int(part or 0) for part in match.groups())
    return hour < 24 and minute < 60 and second < 60 and zone_hour < 24 and zone_minute < 60


def exact_number(text):
    """A number whose fraction is zero is an integer, which jsonschema knows of floats alone."""
    number = decimal.Decimal(text)
    return int(number) if number == number.to_integral_value() else number


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("headway")
    parser.add_argument("model")
    parser.add_argument("--schemas", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    checker = jsonschema.FormatChecker([name for name in FORMATS if name != "time"])
    checker.checks("time")(lambda value: not isinstance(value, str) or is_time(value))
    schemas = Schemas(arguments.seed)
    counts = collections.Counter()
    reasons = collections.Counter()
    server_process.Arguments.headway, server_process.Arguments.model = arguments.headway, arguments.model
    server = server_process.Server("--allow-ungated")
    try:
        while counts["schemas"] < arguments.schemas:
            schema = schemas.whole()
            body = {"prompt": "The answer: ", "json_schema": schema, "max_tokens": schemas.random.choice([60, 120, 250]),
                    "temperature": schemas.random.choice([0, 1, 1.5]), "seed": counts["schemas"]}
            status, answer, _ = server.ask("POST", "/v1/completions", body)
            if status != 200:
                assert status == 400, (status, answer)
                counts["refused"] += 1
                assert counts["refused"] <= 10 * arguments.schemas, reasons.most_common(3)
                reasons[answer["error"]["message"].split(": ", 2)[-1][:90]] += 1
                continue
            counts["schemas"] += 1
            choice = answer["choices"][0]
            if choice["finish_reason"] == "length":
                counts["cut"] += 1
                continue
            try:
                value = json.loads(choice["text"], parse_float=exact_number)
                exact = json.loads(json.dumps(schema), parse_float=exact_number)
                jsonschema.Draft202012Validator(exact, format_checker=checker).validate(value)
            except (ValueError, jsonschema.ValidationError) as error:
                counts["invalid"] += 1
                print(f"invalid: {json.dumps(schema)}\n  {choice['text']}\n  {str(error).splitlines()[0]}")
        server.stop()
    finally:
        if server.process.poll() is None:
            server.kill()
        shutil.rmtree(server_process.cache_directory(), ignore_errors=True)
    print(f"{counts['schemas']} schemas, {counts['invalid']} invalid texts, {counts['cut']} cut; "
          f"{counts['refused']} other schemas refused:")
    for reason, count in reasons.most_common(10):
        print(f"  {count:4}  {reason}")
    return 1 if counts["invalid"] else 0


if __name__ == "__main__":
    sys.exit(main())
