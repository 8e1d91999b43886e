// What a JSON schema allows, and keywords that cannot be honoured.

#include "grammar/json_schema.h"

#include <gtest/gtest.h>

#include <vector>

#include "grammar/match_fixture.h"

namespace headway::grammar {
namespace {

TEST(JsonSchemaTest, Types) {
  const char* value = R"({"a": [1, -2.5e+3, true, null, {"b": "c\u00e9\n"}], "d": {}})";
  CheckSchemas({
      {"{}", {value, "1", "[]", "\"x\""}, {"", "{a:1}", "[1,]", "01", "tru"}},
      {"true", {value}, {"x"}},
      {R"({"description": "anything"})", {value}, {}},
      {R"({"type": "string"})",
       {"\"\"", "\"a b\"", R"("\"\\\/\u12aF")", "\"\xc3\xa9\""},
       {"a", "\"", "\"\n\"", R"("\x")", "\"\xff\""}},
      {R"({"type": "integer"})", {"0", "-12", "123", "1.0"}, {"01", "1.5", "+1", "", "-"}},
      {R"({"type": "number"})", {"0", "-1.5", "2e10", "2.5E-3"}, {".5", "1.", "1e"}},
      {R"({"type": "boolean"})", {"true", "false"}, {"True", "1"}},
      {R"({"type": "null"})", {"null"}, {""}},
      {R"({"type": ["integer", "null"], "minimum": 5})", {"5", "null"}, {"4", "\"\""}},
      {R"({"const": {"a": [1, "x"]}})", {R"({"a":[1,"x"]})"}, {"{}"}},
      {R"({"enum": ["a", 1, null]})", {"\"a\"", "1", "null"}, {"a", "2"}},
      {R"({"type": "object"})", {"{}", R"({"x": {"y": 1}})"}, {"[]", "1"}},
      {R"({"type": "array"})", {"[]", "[1, \"x\", []]"}, {"{}"}},
  });
}

TEST(JsonSchemaTest, Strings) {
  CheckSchemas({
      {R"({"type": "string", "minLength": 2, "maxLength": 3})",
       {"\"ab\"", "\"abc\"", "\"\xc3\xa9\\n\""},
       {"\"a\"", "\"abcd\""}},
      {R"({"pattern": "^[a-z]+-\\d{2,3}$"})",
       {"\"ab-12\"", "\"x-123\""},
       {"\"ab-1\"", "\"-12\"", "\"AB-12\"", "ab-12"}},
      {R"({"pattern": "^(a|b)?c*(?:d.)$"})",
       {"\"d!\"", "\"accdx\"", "\"bd\\\"\""},
       {"\"abd!\"", "\"d\""}},
      {R"({"pattern": "^\\w+\\.\\S$"})", {"\"a_1.x\""}, {"\"a. \"", "\"ax\""}},
      {R"({"pattern": "^[^a]$"})",
       {"\"b\"", "\"\\\\\"", "\"\\n\"", "\"\\\"\""},
       {"\"a\"", "\"\"\"", "\"\\\""}},
      {R"({"format": "date"})",
       {"\"2024-12-31\""},
       {"\"2024-13-01\"", "\"24-1-1\"", "\"2024-01-32\""}},
      {R"({"type": "string", "format": "date-time"})",
       {"\"2024-02-03T23:59:59.123Z\"", "\"2024-02-03T00:00:00+01:00\""},
       {"\"2024-02-03 00:00:00Z\"", "\"2024-02-03T24:00:00Z\""}},
      {R"({"format": "uuid"})", {"\"01234567-89ab-cdef-0123-456789ABCDEF\""}, {"\"0123\""}},
  });
}

TEST(JsonSchemaTest, IntegerLimits) {
  struct Limits {
    const char* schema;
    int64_t least;
    int64_t most;
  };
  for (const Limits& limits : std::vector<Limits>{
           {R"({"type": "integer", "minimum": 0, "maximum": 150})", 0, 150},
           {R"({"type": "integer", "minimum": -17, "maximum": 23})", -17, 23},
           {R"({"type": "integer", "exclusiveMinimum": 9, "exclusiveMaximum": 1001})", 10, 1000},
           {R"({"type": "integer", "minimum": -1234, "maximum": -99})", -1234, -99},
           {R"({"type": "integer", "minimum": 57})", 57, 3000},
           {R"({"type": "integer", "maximum": -8})", -3000, -8},
           {R"({"type": "integer", "maximum": 45})", -3000, 45},
           {R"({"type": "integer", "minimum": 7, "maximum": 7})", 7, 7}}) {
    const auto automaton = BuildOrNull(ParseJsonSchema(limits.schema));
    for (int64_t i = -3000; i <= 3000; ++i) {
      ASSERT_EQ(Matches(automaton, std::to_string(i)), i >= limits.least && i <= limits.most)
          << limits.schema << ": " << i;
    }
    EXPECT_FALSE(Matches(automaton, "00"));
    EXPECT_FALSE(Matches(automaton, "010"));
    EXPECT_FALSE(Matches(automaton, "-"));
  }
}

TEST(JsonSchemaTest, Arrays) {
  CheckSchemas({
      {R"({"items": {"type": "integer"}})",
       {"[]", "[1]", "[1,2, 3]", "[\n  1 ]"},
       {"[1,]", "[\"x\"]", "[,1]"}},
      {R"({"items": {"type": "null"}, "minItems": 2, "maxItems": 3})",
       {"[null,null]", "[null,null,null]"},
       {"[null]", "[]", "[null,null,null,null]"}},
      {R"({"items": {"type": "null"}, "minItems": 1})", {"[null]", "[null,null]"}, {"[]"}},
      {R"({"items": {"type": "null"}, "maxItems": 0})", {"[]"}, {"[null]"}},
      {R"({"items": {"type": "null"}, "maxItems": 1})", {"[]", "[null]"}, {"[null,null]"}},
      {R"({"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": false})",
       {"[]", "[1]", "[1, \"a\"]"},
       {"[\"a\",1]", "[1,\"a\",2]"}},
  });
}

TEST(JsonSchemaTest, Objects) {
  const char* person = R"({"type": "object", "required": ["name", "age"], "properties": {
      "nick": {"type": "string"}, "name": {"type": "string"}, "mood": {"enum": ["good"]},
      "age": {"type": "integer", "minimum": 0}, "x": {"type": "null"}}})";
  CheckSchemas({
      {person,
       {R"({"name": "A", "age": 1})", R"({"nick":"n","name":"A","mood":"good","age":1,"x":null})",
        R"({"nick": "n", "name": "A", "age": 0})", R"({ "name" : "A", "age": 1, "x": null })"},
       {"{}", R"({"age": 1, "name": "A"})", R"({"name": "A"})", R"({"name": "A", "age": 1,})",
        R"({"name": "A", "age": -1})", R"({, "name": "A", "age": 1})"}},
      {R"({"properties": {"a": {"type": "null"}, "b": {"type": "null"}}})",
       {"{}", R"({"a":null})", R"({"b":null})", R"({"a":null,"b":null})"},
       {R"({"b":null,"a":null})", R"({"a":null,"a":null})"}},
      {R"({"properties": {"ab": {"type": "null"}, "ac": {"type": "null"}}, "required": ["ab"],
           "additionalProperties": {"type": "integer"}})",
       {R"({"ab":null})", R"({"ab":null,"ac":null,"a":1,"abc":2})", R"({"ab":null,"zz":3})",
        R"({"ab":null,"":3})"},
       {R"({"ab":null,"ab":1})", R"({"ab":null,"x":null})", R"({"a":1})", R"({"ab":null,"ac":1})"}},
      {R"({"type": "object", "additionalProperties": {"type": "null"}})",
       {"{}", R"({"x":null,"y":null})"},
       {R"({"x":1})"}},
      {R"({"type": "object", "properties": {"a": true}, "additionalProperties": true})",
       {R"({"a": [1], "b": {"c": 2}})"},
       {R"({"a":1,"a":2})"}},
  });
}

TEST(JsonSchemaTest, ReferencesAndCombinations) {
  CheckSchemas({
      {R"({"$ref": "#/$defs/tree", "$defs": {"tree": {"properties": {"v": {"type": "integer"},
           "kids": {"items": {"$ref": "#/$defs/tree"}}}, "required": ["v"]}}})",
       {R"({"v":1})", R"({"v":1,"kids":[{"v":2,"kids":[]},{"v":3}]})"},
       {R"({"kids":[]})"}},
      {R"({"type": "array", "items": {"$ref": "#"}})", {"[]", "[[],[[]]]"}, {"[1]"}},
      {R"({"definitions": {"a/b": {"const": 1}}, "$ref": "#/definitions/a~1b"})", {"1"}, {"2"}},
      {R"({"anyOf": [{"type": "null"}, {"const": 3}]})", {"null", "3"}, {"4"}},
      {R"({"oneOf": [{"type": "null"}, {"type": "boolean"}]})", {"null", "true"}, {"1"}},
      {R"({"allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]},
                     {"$ref": "#/$defs/b"}], "$defs": {"b": {"properties": {"b": {"const": 2}}}}})",
       {R"({"a":1})", R"({"a":1,"b":2})"},
       {R"({"b":2})"}},
      {R"({"allOf": [{"type": "integer"}]})", {"1"}, {"null"}},
  });
}

TEST(JsonSchemaTest, WhatCannotBeHonoured_IsNamed) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"{", "line 1, column 2: expected JSON (a name in quotation marks), found the end"},
      {"{\n\"type\": strin}", "line 2, column 9: expected JSON (a value), found 's'"},
      {"[]", "#: expected a schema, found an array"},
      {"false", "#: expected a schema that some finite text fits, found one that none does"},
      {R"({"type": "array", "uniqueItems": true})",
       "#: expected keywords that a grammar can express, found 'uniqueItems' of items"},
      {R"({"type": "thing"})",
       "type: expected object, array, string, number, integer, boolean or null, found 'thing'"},
      {R"({"type": 3})", "type: expected a name or several, found 3"},
      {R"({"properties": {"a": {"pattern": "^a(?=b)$"}}})",
       "#/properties/a: pattern: expected a pattern of literals, classes, groups, anchors, | and "
       "repetitions, found '?=b)$'"},
      {R"({"pattern": "\\bx"})", "found '\\bx'"},
      {R"({"pattern": "(a)\\1"})", "found '\\1'"},
      {R"({"pattern": "\\p{L}"})", "found '\\p{L}'"},
      {R"({"minLength": -1})", "minLength: expected a whole number from 0 to 100000, found -1"},
      {R"({"type": "integer", "minimum": "1"})", "minimum: expected a number, found \"1\""},
      {R"({"multipleOf": 0})", "multipleOf: expected a number above 0, found 0"},
      {R"({"multipleOf": 0.123456789})", "#: multipleOf: expected a step of fewer digits"},
      {R"({"minimum": 1e999})", "#: minimum: expected a number of at most 400 digits"},
      {R"({"required": ["x", 1]})", "required: expected a list of names"},
      {R"({"$ref": "http://x"})",
       "$ref: expected a place in this schema (#/...), found 'http://x'"},
      {R"({"$ref": "#/nowhere"})", "found '#/nowhere'"},
      {R"({"$ref": "#"})",
       "#: expected a schema of some finite text, found one that is defined by"},
      {R"({"$schema": "http://example.com/own"})", "$schema: expected draft 4, 6, 7"},
      {R"({"enum": 1})", "enum: expected a list of values"},
      {R"({"anyOf": []})", "anyOf: expected a list of schemas"},
      {R"({"type": "integer", "minimum": 3, "maximum": 1})", "that some finite text fits"},
      {R"({"type": "array", "minItems": 3, "maxItems": 2})", "that some finite text fits"},
  };
  for (const auto& [schema, message] : cases) {
    EXPECT_NE(SchemaError(schema).find(message), std::string::npos)
        << schema << "\nexpected: " << message << "\nfound: " << SchemaError(schema);
  }
  std::string deep;
  for (int i = 0; i < 70000; ++i) deep += "{\"items\":";
  EXPECT_NE(SchemaError(deep + "{}" + std::string(70000, '}')).find("at most 400 levels"),
            std::string::npos);
}

}  // namespace
}  // namespace headway::grammar
