#!/usr/bin/env python3
"""Runs the public JSON-Schema-Test-Suite (its directory is the argument) through `headway grammar match`.

A schema must accept every valid instance and no invalid one, or be refused. A grammar fixes the order of properties, so
an instance counts as accepted when it is in some order of its properties. Every instance is judged twice: its numbers as
the suite spells them, and with an exponent. Prints what was refused and why, and every instance that was judged wrongly;
exit status 1 when there is one, but for those that docs/grammar.md knows, or when more than 15 % are refused."""
import argparse
import collections
import decimal
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile

DRAFTS = {"draft2020-12": "https://json-schema.org/draft/2020-12/schema", "draft7": "http://json-schema.org/draft-07/schema#"}
# Formats that limit texts here (docs/grammar.md); the others say nothing, as the specification has it.
ASSERTED = {"date", "time", "date-time", "duration", "uuid", "ipv4", "ipv6", "email", "uri", "json-pointer", "unknown"}
MOST_ORDERS = 720
MOST_REFUSED = 0.15
KNOWN = re.compile("leap second")  # valid, rejected: they are taken in UTC only
NO_VALUE = "expected a schema that some finite text fits"


class Number:
    """A number as it was spelled."""
    def __init__(self, spelling):
        self.spelling = spelling

    def with_exponent(self):
        sign, digits, exponent = decimal.Decimal(self.spelling).as_tuple()
        return f"{'-' if sign else ''}{''.join(map(str, digits))}e{exponent}"


def spelled(value, exponents=False):
    """All texts of a value: the orders of its properties."""
    if isinstance(value, dict):
        members = [[(json.dumps(name, ensure_ascii=False), text) for text in spelled(v, exponents)] for name, v in value.items()]
        for order in itertools.permutations(members):
            for chosen in itertools.product(*order):
                yield "{" + ", ".join(f"{name}: {text}" for name, text in chosen) + "}"
    elif isinstance(value, list):
        for chosen in itertools.product(*[list(itertools.islice(spelled(v, exponents), MOST_ORDERS)) for v in value]):
            yield "[" + ", ".join(chosen) + "]"
    elif isinstance(value, Number):
        yield value.with_exponent() if exponents else value.spelling
    else:
        yield json.dumps(value, ensure_ascii=False)


def match(headway, schema, texts, formats):
    """One verdict a text, or the reason for refusing the schema."""
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        (directory / "schema.json").write_text(schema)
        (directory / "texts").write_text("".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts))
        command = [headway, "grammar", "match", "--json-schema", directory / "schema.json", "--texts", directory / "texts", "--json"]
        done = subprocess.run(command + ([] if formats else ["--no-formats"]), capture_output=True, text=True)
    if done.returncode not in (0, 1):
        return None, done.stderr.strip().split("schema.json: ", 1)[-1]
    return [json.loads(line)["match"] for line in done.stdout.splitlines()], ""


def reason(message):
    """A message without what is of one schema only."""
    message = re.sub(r"^schema: ", "", message)
    message = re.sub(r"^#[^:]*: ", "", message)
    return re.sub(r"in '.*'$", "", message)[:150]


def is_elsewhere(message):
    return "$ref: expected a place in this schema" in message or "$schema: expected" in message


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", type=pathlib.Path)
    parser.add_argument("--headway", default="build/release/headway")
    parser.add_argument("--verbose", action="store_true", help="every refused schema too")
    arguments = parser.parse_args()
    wrong = too_many = 0
    for draft, uri in DRAFTS.items():
        count = collections.Counter()
        reasons = collections.Counter()
        root = arguments.suite / "tests" / draft
        if not root.is_dir():
            parser.error(f"{root}: expected a folder of the suite, found none")
        for path in sorted(root.rglob("*.json")):
            is_format = path.parent.name == "format"
            if (is_format and path.stem not in ASSERTED) or (path.parent.name == "optional" and path.stem == "content"):
                count["annotated"] += len(json.loads(path.read_text()))
                continue
            for group in json.loads(path.read_text(), parse_float=Number, parse_int=Number):
                schema = group["schema"]
                if isinstance(schema, dict) and "$schema" not in schema:
                    schema = {"$schema": uri, **schema}
                texts, owners = [], []
                for owner in itertools.product(range(len(group["tests"])), (False, True)):
                    for text in itertools.islice(spelled(group["tests"][owner[0]]["data"], owner[1]), MOST_ORDERS):
                        texts.append(text)
                        owners.append(owner)
                verdicts, message = match(arguments.headway, next(spelled(schema)), texts, is_format)
                count["schemas"] += 1
                where = f"{draft} {path.relative_to(root)}: {group['description']}"
                if verdicts is None and NO_VALUE in message and not any(test["valid"] for test in group["tests"]):
                    count["empty"] += 1  # as it should be: there is nothing to generate
                    continue
                if verdicts is None:
                    count["elsewhere" if is_elsewhere(message) else "refused"] += 1
                    reasons[reason(message)] += 1
                    if arguments.verbose:
                        print(f"refused  {where}: {message}")
                    continue
                for number, test in enumerate(group["tests"]):
                    found = {exponents: any(verdict for owner, verdict in zip(owners, verdicts) if owner == (number, exponents))
                             for exponents in (False, True)}
                    count["instances"] += 1
                    if set(found.values()) == {test["valid"]}:
                        continue
                    how = "valid rejected" if test["valid"] else "invalid accepted"
                    is_known = test["valid"] and KNOWN.search(test["description"])
                    wrong += 0 if is_known else 1
                    count[how] += 1
                    spelling = "" if found[False] != test["valid"] else ", with exponents"
                    print(f"{how}{spelling}{', as documented' if is_known else ''}  {where}: {test['description']}")
        here = count["schemas"] - count["elsewhere"]
        print(f"{draft}: {count['schemas']} schemas, {count['elsewhere']} with references to other documents; of the other "
              f"{here} {count['refused']} refused ({100 * count['refused'] / here:.1f} %); {count['instances']} instances: "
              f"{count['valid rejected']} valid rejected, {count['invalid accepted']} invalid accepted; "
              f"{count['empty']} schemas that nothing fits, refused as such; {count['annotated']} of keywords that only annotate left out")
        too_many += count["refused"] > MOST_REFUSED * here
        for text, times in reasons.most_common():
            print(f"  {times:4}  {text}")
    return 1 if wrong or too_many else 0


if __name__ == "__main__":
    sys.exit(main())
