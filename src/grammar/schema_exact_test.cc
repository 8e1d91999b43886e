// Schemas that are combined, limited or recursive: exactly the texts of the values that they
// describe.

#include <gtest/gtest.h>

#include "grammar/match_fixture.h"

namespace headway::grammar {
namespace {

TEST(SchemaExactTest, AllOf_KeepsEveryBranch) {
  CheckSchemas({
      {R"({"allOf": [{"properties": {"a": {"type": "integer"}}, "additionalProperties": false},
                     {"properties": {"b": {"type": "integer"}}}]})",
       {"{}", R"({"a": 1})"},
       {R"({"b": 1})", R"({"a": 1, "b": 1})"}},
      {R"({"allOf": [{"properties": {"n": {"type": "integer", "minimum": 5}}, "required": ["n"]},
                     {"properties": {"n": {"maximum": 7}}}]})",
       {R"({"n": 5})", R"({"n": 7})"},
       {R"({"n": 4})", R"({"n": 8})", "{}"}},
      {R"({"allOf": [{"additionalProperties": {"type": "boolean"}},
                     {"type": "object", "properties": {"b": {"type": "integer"}}}]})",
       {"{}", R"({"c": true})"},
       {R"({"b": 1})", R"({"b": true})", R"({"c": 1})"}},
      {R"({"allOf": [{"pattern": "^a"}, {"pattern": "z$"}, {"maxLength": 3, "type": "string"}]})",
       {"\"az\"", "\"abz\""},
       {"\"a\"", "\"abcz\"", "\"z\""}},
      {R"({"$ref": "#/$defs/a", "maximum": 3, "$defs": {"a": {"type": "integer"}}})",
       {"3"},
       {"4", "2.5"}},
      // Up to draft 7 a reference stands alone.
      {R"({"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/a",
           "maximum": 3, "definitions": {"a": {"type": "integer"}}})",
       {"3", "4"},
       {"2.5"}},
  });
}

TEST(SchemaExactTest, TypeBesideOthers) {
  CheckSchemas({
      {R"({"type": "string", "enum": ["yes", "no", 1, null]})",
       {"\"yes\"", "\"no\""},
       {"1", "null"}},
      {R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
           "anyOf": [{"required": ["a"]}, {"required": ["b"]}]})",
       {R"({"a": 1})", R"({"b": 1})", R"({"a": 1, "b": 2})"},
       {"{}", R"({"a": "x"})", "1"}},
      {R"({"enum": [12345678901234567890123, [1, {"a": "ü"}], {}]})",
       {"12345678901234567890123", "[1, {\"a\": \"ü\"}]", "{}"},
       {"12345678901234567890124", "12345678901234567000000", "[1]", "[]", "{\"a\": 1}"}},
      {R"({"minLength": 2})", {"1", "null", "\"ab\"", "[]"}, {"\"a\""}},
  });
}

TEST(SchemaExactTest, OneOf_ExactlyOne) {
  CheckSchemas({
      {R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})", {"1.5"}, {"1", "\"\""}},
      {R"({"type": "object", "properties": {"action": {"type": "string"}}, "required": ["action"],
           "oneOf": [{"properties": {"action": {"const": "go"}, "to": {"type": "string"}},
                      "required": ["to"]},
                     {"properties": {"action": {"const": "wait"}, "s": {"type": "integer"}},
                      "required": ["s"]}]})",
       {R"({"action": "go", "to": "x"})", R"({"action": "wait", "s": 1})"},
       {R"({"action": "go"})", R"({"action": "wait", "to": "x"})", R"({"action": "x", "s": 1})"}},
      {R"({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]})",
       {R"({"a": 1})", R"({"b": 1})"},
       {R"({"a": 1, "b": 1})", "{}", "1"}},
      {R"({"not": {"type": ["integer", "object"]}})", {"1.5", "[]", "null"}, {"1", "{}"}},
      {R"({"if": {"properties": {"a": {"const": true}}, "required": ["a"]}, "then":
           {"required": ["b"]}, "else": {"maxProperties": 1}})",
       {R"({"a": true, "b": 1})", R"({"a": false})", "{}", "3"},
       {R"({"a": true})", R"({"a": false, "b": 1})"}},
  });
}

TEST(SchemaExactTest, Numbers) {
  CheckSchemas({
      {R"({"type": "number", "minimum": 0, "maximum": 1})",
       {"0", "1", "0.5", "1.0", "0.000", "-0"},
       {"1.01", "-0.1", "2", "10"}},
      {R"({"type": "integer", "minimum": 0.0, "maximum": 1e1})", {"0", "10"}, {"11", "-1"}},
      {R"({"exclusiveMinimum": -1.25, "exclusiveMaximum": 12.5, "type": "number"})",
       {"-1.2", "-1", "12.49", "0"},
       {"-1.25", "-1.3", "12.5", "12.50", "13", "100"}},
      {R"({"type": "integer", "minimum": -9223372036854775808, "maximum": 9223372036854775807})",
       {"-9223372036854775808", "9223372036854775807", "0"},
       {"-9223372036854775809", "9223372036854775808"}},
      {R"({"type": "integer", "format": "uint32", "minimum": 0.0})",
       {"0", "4294967295"},
       {"-1", "4294967296"}},
      {R"({"type": "number", "multipleOf": 0.25})", {"1", "0.5", "-2.750"}, {"0.3", "0.125"}},
      {R"({"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer",
           "minimum": 3, "exclusiveMinimum": true})",
       {"4"},
       {"3"}},
  });
}

TEST(SchemaExactTest, Strings) {
  CheckSchemas({
      {R"({"type": "string", "minLength": 2.0, "maxLength": 2})",
       {"\"ab\"", "\"\xf0\x9f\x98\x80x\"", R"("\ud83d\ude00x")", R"("\u00e9\n")"},
       {"\"\xf0\x9f\x98\x80\"", R"("\ud83d\ude00")", "\"abc\""}},
      {R"({"type": "string"})", {R"("\u0041")", "\"\x7f\""}, {R"("\ud800")", R"("\ude00\ud83d")"}},
      {R"({"type": "string", "pattern": "\\S"})",
       {"\"a\"", "\" a \""},
       {"\"\"", "\" \"", "\"\xc2\xa0\"", "\"\xef\xbb\xbf\"", "\"\xe2\x80\xa8\"", R"("\t")"}},
      {R"({"type": "string", "pattern": "^.$"})",
       {"\"a\"", R"("\"")", "\"\xc2\x85\""},
       {R"("\n")", R"("\r")", "\"\xe2\x80\xa8\"", "\"\xe2\x80\xa9\""}},
      {R"({"type": "string", "pattern": "b|^a$"})", {"\"a\"", "\"xbx\""}, {"\"aa\"", "\"x\""}},
      {R"({"type": "string", "pattern": "^[a-z]+$", "maxLength": 3, "format": "unknown"})",
       {"\"abc\""},
       {"\"abcd\"", "\"\""}},
      {R"({"type": "string", "pattern": "^\\cC\\u{1F600}?\\x41+?$"})",
       {R"("\u0003A")",
        "\"\\u0003\xf0\x9f\x98\x80"
        "AA\""},
       {R"("\u0003")"}},
  });
}

TEST(SchemaExactTest, Formats) {
  CheckSchemas({
      {R"({"type": "string", "format": "date"})",
       {"\"2024-02-29\"", "\"2000-02-29\"", "\"2023-12-31\""},
       {"\"2023-02-29\"", "\"1900-02-29\"", "\"2024-02-30\"", "\"2024-04-31\"", "\"2024-13-01\""}},
      {R"({"type": "string", "format": "date-time"})",
       {"\"2024-02-29T23:59:59.5+01:00\"", "\"1998-12-31T23:59:60Z\""},
       {"\"2024-02-31T00:00:00Z\"", "\"2024-02-29T24:00:00Z\"", "\"2024-02-29T00:00:00\""}},
      {R"({"type": "string", "format": "ipv4"})",
       {"\"0.25.255.1\""},
       {"\"1.2.3\"", "\"256.1.1.1\""}},
      {R"({"type": "string", "format": "ipv6"})",
       {"\"::\"", "\"1::\"", "\"::1.2.3.4\"", "\"1:2:3:4:5:6:7:8\""},
       {"\"1:2:3:4:5:6:7\"", "\"1::2::3\"", "\"12345::\""}},
      {R"({"type": "string", "format": "email"})", {"\"a.b@c.de\""}, {"\"a@\"", "\".a@b\""}},
      {R"({"type": "string", "format": "uri"})", {"\"https://a.b/c?d#e\""}, {"\"a b\"", "\"//x\""}},
      {R"({"format": "email"})", {"1"}, {"\"x\""}},
  });
  SchemaOptions annotations = kEverySpelling;
  annotations.assert_formats = false;
  CheckSchemas({{R"({"format": "email"})", {"\"x\""}, {}}}, annotations);
}

TEST(SchemaExactTest, Objects) {
  CheckSchemas({
      {R"({"type": "object", "patternProperties": {"^score$": {"type": "integer"}},
           "additionalProperties": false})",
       {"{}", R"({"score": 1})"},
       {R"({"score": "x"})", R"({"x": 1})"}},
      {R"({"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a", "b"]})",
       {R"({"a": true, "b": [1]})"},
       {R"({"a": true})", R"({"b": 1})"}},
      {R"({"minProperties": 1, "maxProperties": 2, "propertyNames": {"maxLength": 1}})",
       {R"({"a": 1})", R"({"a": 1, "b": 2})"},
       {"{}", R"({"ab": 1})", R"({"a": 1, "b": 2, "c": 3})"}},
      {R"({"dependentRequired": {"a": ["b"]}})",
       {"{}", R"({"b": 1})", R"({"a": 1, "b": 1})"},
       {R"({"a": 1})"}},
      {R"({"allOf": [{"properties": {"a": true}}], "unevaluatedProperties": false})",
       {R"({"a": 1})", "{}"},
       {R"({"b": 1})"}},
      {R"({"definitions": {"Page<Item>": {"const": 1}}, "properties":
           {"p": {"$ref": "#/definitions/Page%3CItem%3E"}}, "x-unknown": {"type": "nothing"}})",
       {R"({"p": 1})"},
       {R"({"p": 2})"}},
  });
}

TEST(SchemaExactTest, Arrays) {
  CheckSchemas({
      {R"({"items": {"enum": ["a", "b"]}, "uniqueItems": true, "maxItems": 2, "type": "array"})",
       {"[]", R"(["a"])", R"(["b", "a"])"},
       {R"(["a", "a"])"}},
      {R"({"$schema": "http://json-schema.org/draft-07/schema#", "type": "array",
           "items": [{"const": 1}, {"const": "x"}], "additionalItems": false})",
       {"[]", "[1]", R"([1, "x"])"},
       {R"(["x"])", R"([1, "x", 1])"}},
      {R"({"prefixItems": [{"const": 1}], "items": {"type": "string"}, "minItems": 2})",
       {R"([1, "x"])", R"([1, "x", "y"])"},
       {"[1]", "[1, 2]"}},
      {R"({"contains": {"const": 1}, "maxContains": 2, "type": "array"})",
       {"[1]", "[2, 1]", "[1, 2, 1]"},
       {"[]", "[2]", "[1, 1, 1]"}},
  });
}

TEST(SchemaExactTest, Recursion) {
  const char* endless = R"({"$ref": "#/$defs/P", "$defs": {"P": {"type": "object", "properties":
      {"parent": {"$ref": "#/$defs/P"}}, "required": ["parent"]}}})";
  EXPECT_NE(SchemaError(endless).find("that some finite text fits"), std::string::npos);
  const char* cycle = R"({"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}},
      "properties": {"x": {"$ref": "#/$defs/A"}}})";
  EXPECT_NE(SchemaError(cycle).find("defined by itself alone"), std::string::npos);
  const char* self = R"({"$ref": "#/$defs/A", "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}]}}})";
  EXPECT_NE(SchemaError(self).find("defined by itself alone"), std::string::npos);
  // What could only be filled for ever is left out where it may be.
  CheckSchemas({
      {R"({"$defs": {"P": {"properties": {"p": {"$ref": "#/$defs/P"}}, "required": ["p"],
           "type": "object"}}, "properties": {"q": {"$ref": "#/$defs/P"}}, "type": "object"})",
       {"{}"},
       {R"({"q": {}})", "{\"q"}},
      {R"({"$ref": "#/$defs/N", "$defs": {"N": {"type": "object", "properties": {"k": {"items":
           {"$ref": "#/$defs/N"}, "maxItems": 2, "type": "array"}}, "additionalProperties": false}}})",
       {"{}", R"({"k": [{}, {"k": []}]})"},
       {R"({"k": [{}, {}, {}]})", R"({"k": 1})"}},
  });
}

TEST(SchemaExactTest, GeneratedTexts_OneSpellingAndOnlyWhatIsNamed) {
  CheckSchemas(
      {
          {R"({"properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "type": "object"})",
           {"{}", R"({"a": 1, "b": "x\n"})"},
           {R"({"a":1})", R"({ "a": 1})", R"({"a": 1.0})", R"({"b": "\u0041"})", R"({"c": 1})"}},
          {R"({"properties": {"a": true}, "minProperties": 2})", {R"({"a": 1, "x": 2})"}, {}},
          {R"({"properties": {"a": true}, "additionalProperties": true})", {R"({"x": 2})"}, {}},
          {R"({"type": "object"})", {R"({"x": [1, 2]})"}, {R"({"x": [1,2]})"}},
          // What it speaks of is written, where it allows other kinds, too.
          {R"({"properties": {"a": {"enum": ["x"]}}, "required": ["a"]})",
           {R"({"a": "x"})"},
           {"1", "null", "[]", R"("x")"}},
          {R"({"$ref": "#/$defs/b", "$defs": {"b": {"allOf": [{"required": ["a"]}]}}})",
           {R"({"a": 1})"},
           {"1", "[]"}},
          {R"({"items": {"type": "integer"}})", {"[]", "[1, 2]"}, {"{}", "1"}},
          {R"({"anyOf": [{"properties": {"a": {"const": 1}}}, {"type": "null"}]})",
           {R"({"a": 1})"},
           {"7"}},
      },
      {});
}

TEST(SchemaExactTest, WhiteSpace_IsFreeWithinBoundsWhereAskedFor) {
  const char* schema =
      R"({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}},
          "b": {}}})";
  const std::string blanks(16, ' ');
  const std::vector<std::string> bounded = {
      "{}",
      "{ }",
      R"({"a":[1,2]})",
      R"({"a": [1, 2], "b": {"x": []}})",
      "{\n\n\t\"a\"\n:" + blanks + "[ ]\n}",
      "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\" : { \"x\" : [ 1 , 2 ] }\n}"};
  CheckSchemas({{schema,
                 bounded,
                 {"{\n\n\n}", "{" + blanks + " }", "{\r\n}", " {}", "{}\n", R"({"a": [1.0]})"}}},
               {.free_white_space = true});
  CheckSchemas({{schema, {"{}", R"({"a": [1, 2], "b": {"x": []}})"}, {"{ }", R"({"a":[1,2]})"}}},
               {});
  // What others wrote may have any.
  std::vector<std::string> any = bounded;
  any.insert(any.end(), {"\r\n{\n\n\n\r}\t", "{" + blanks + blanks + "}"});
  CheckSchemas({{schema, any, {"{\v}", "{\xc2\xa0}"}}});
}

TEST(SchemaExactTest, ALongName_TakesLinearTime) {
  const std::string name(12000, 'n');
  const std::string schema =
      R"({"properties": {")" + name + R"(": {"const": 1}}, "additionalProperties": {"const": 2}})";
  EXPECT_TRUE(MatchesSchema(schema, "{\"" + name + "\": 1}"));
  EXPECT_TRUE(MatchesSchema(schema, "{\"" + name + "n\": 2}"));
  EXPECT_FALSE(MatchesSchema(schema, "{\"" + name + "\": 2}"));
}

}  // namespace
}  // namespace headway::grammar
