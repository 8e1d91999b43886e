// Objects that are generated: no name that is written twice breaks a keyword.

#include <gtest/gtest.h>

#include "grammar/match_fixture.h"

namespace headway::grammar {
namespace {

TEST(SchemaNamesTest, NamesOfASmallSet_AreWrittenOnceInTheOrderOfTheirCharacters) {
  CheckSchemas(
      {
          {R"({"type": "object", "minProperties": 3, "maxProperties": 3, "propertyNames":
               {"enum": ["d", "c", "b", "a"]}, "additionalProperties": {"type": "integer"}})",
           {R"({"a": 1, "b": 2, "c": 3})", R"({"b": 1, "c": 2, "d": 3})"},
           {R"({"d": 5, "c": 9, "d": 8})", R"({"a": 1, "a": 2, "a": 3})", R"({"a": 1, "b": 2})",
            R"({"a": 1, "b": 2, "c": 3, "d": 4})", R"({"b": 1, "a": 2, "c": 3})"}},
          {R"({"type": "object", "patternProperties": {"^score$": {"type": "integer"}},
               "additionalProperties": false})",
           {"{}", R"({"score": 8})"},
           {R"({"score": 8, "score": 4})"}},
          {R"({"type": "object", "patternProperties": {"^[ab]$": {"const": 1}, "^[bc]$":
               {"type": "integer"}}, "additionalProperties": false, "minProperties": 2})",
           {R"({"a": 1, "b": 1})", R"({"b": 1, "c": 7})"},
           {R"({"a": 1})", R"({"b": 1, "b": 1})", R"({"b": 2, "c": 7})"}},
          // Those with properties of their own stand first, as ever.
          {R"({"type": "object", "properties": {"z": {"const": 0}}, "propertyNames": {"enum":
               ["a", "z"]}, "additionalProperties": {"const": 1}, "minProperties": 2})",
           {R"({"z": 0, "a": 1})"},
           {R"({"a": 1, "a": 1})", R"({"a": 1, "z": 0})", R"({"z": 0})"}},
      },
      {});
  EXPECT_NE(SchemaError(R"({"type": "object", "minProperties": 2, "patternProperties":
                           {"^score$": {"type": "integer"}}, "additionalProperties": false})")
                .find("that some finite text fits"),
            std::string::npos);
}

TEST(SchemaNamesTest, OneOtherProperty_IsAnotherOneInAnyCase) {
  CheckSchemas(
      {
          {R"({"type": "object", "minProperties": 1, "additionalProperties": {"const": 1}})",
           {R"({"x": 1})", R"({"x": 1, "y": 1})"},
           {"{}"}},
          {R"({"type": "object", "required": ["a"], "minProperties": 2, "additionalProperties":
               {"const": 1}})",
           {R"({"a": 1, "x": 1})", R"({"a": 1, "x": 1, "y": 1})"},
           {R"({"a": 1})", R"({"x": 1, "y": 1})"}},
          // Two classes of names are two different ones; more of them count no further.
          {R"({"type": "object", "minProperties": 2, "patternProperties": {"^a": {"const": 1},
               "^b": {"const": 2}}, "additionalProperties": false})",
           {R"({"a1": 1, "b1": 2})", R"({"a1": 1, "b1": 2, "b2": 2, "a1": 1})"},
           {R"({"a1": 1, "a2": 1})", R"({"b1": 2})"}},
          // One of the optional ones is needed.
          {R"({"type": "object", "properties": {"a": {"const": 0}, "b": {"const": 0}},
               "minProperties": 2, "additionalProperties": {"const": 1}})",
           {R"({"a": 0, "b": 0})", R"({"a": 0, "x": 1})", R"({"b": 0, "x": 1, "x": 1})"},
           {R"({"x": 1, "y": 1})", R"({"a": 0})"}},
          {R"({"type": "object", "maxProperties": 2, "additionalProperties": {"const": 1}})",
           {"{}", R"({"x": 1})", R"({"x": 1, "y": 1})"},
           {R"({"x": 1, "y": 1, "z": 1})"}},
      },
      {});
}

TEST(SchemaNamesTest, SeveralOtherProperties_AreRefusedByName) {
  for (const char* schema :
       {R"({"type": "object", "minProperties": 2})",
        R"({"type": "object", "minProperties": 3, "additionalProperties": {"type": "integer"}})",
        R"({"type": "object", "required": ["a"], "minProperties": 3, "propertyNames":
            {"pattern": "^[a-z]+$"}})",
        R"({"type": "object", "not": {"maxProperties": 1}})",
        R"({"type": "object", "if": {"maxProperties": 1}, "then": {"required": ["a"]}})",
        R"({"anyOf": [{"type": "null"}, {"type": "object", "minProperties": 2}]})"}) {
    EXPECT_NE(SchemaError(schema).find(
                  "minProperties: expected at most one more property than those with listed names"),
              std::string::npos)
        << schema << "\nfound: " << SchemaError(schema);
  }
  // A reader of texts sees names twice by itself (outside_text.h).
  EXPECT_TRUE(MatchesSchema(R"({"minProperties": 2})", R"({"x": 1, "y": 2})"));
}

TEST(SchemaNamesTest, PropertiesFoundByTheirValue_AreTheLast) {
  CheckSchemas(
      {
          {R"({"type": "object", "not": {"additionalProperties": {"type": "integer"}},
               "additionalProperties": {"type": ["integer", "null"]}})",
           {R"({"x": null})", R"({"x": 1, "y": null})", R"({"x": null, "y": null})"},
           {"{}", R"({"x": 1})", R"({"x": null, "x": 1})", R"({"x": null, "y": 1})"}},
          // By its name alone: a second one changes nothing.
          {R"({"type": "object", "not": {"propertyNames": {"pattern": "^a"}},
               "additionalProperties": {"const": 1}})",
           {R"({"b": 1})", R"({"b": 1, "a": 1, "b": 1})"},
           {"{}", R"({"a": 1})"}},
          // Listed names cannot be written again.
          {R"({"type": "object", "properties": {"a": {}}, "not": {"properties": {"a":
               {"const": 1}}}, "additionalProperties": {"const": 1}})",
           {R"({"a": 2})", R"({"a": 2, "x": 1})"},
           {R"({"a": 1})", "{}"}},
          {R"({"type": "object", "not": {"patternProperties": {"^[ab]$": {"const": 1}}},
               "additionalProperties": false, "patternProperties": {"^[ab]$": {"type": "integer"}}})",
           {R"({"a": 2})", R"({"a": 2, "b": 1})", R"({"a": 1, "b": 2})"},
           {"{}", R"({"a": 1, "b": 1})", R"({"a": 2, "a": 1})"}},
          // One property may be both; two might be one.
          {R"({"type": "object", "allOf": [{"not": {"additionalProperties": {"minimum": 5}}},
               {"not": {"additionalProperties": {"multipleOf": 2}}}],
               "additionalProperties": {"type": "integer"}})",
           {R"({"x": 3})", R"({"x": 2, "y": 7, "z": 3})"},
           {R"({"x": 2})", R"({"x": 7})", R"({"x": 3, "y": 8})"}},
      },
      {});
  EXPECT_NE(SchemaError(R"({"type": "object", "allOf":
                [{"not": {"additionalProperties": {"type": "integer"}}},
                 {"not": {"additionalProperties": {"type": "string"}}}],
                "additionalProperties": {"type": ["integer", "string"]}})")
                .find("not: expected at most one property to be found by its value"),
            std::string::npos);
}

// More properties than a literal has: all of its own and another one, whatever that is called.
TEST(SchemaNamesTest, NegatedLiterals_NeedNoCount) {
  CheckSchemas({{R"({"type": "object", "not": {"const": {"a": 1}}, "properties": {"a":
                     {"type": "integer"}}, "additionalProperties": {"const": 2}})",
                 {"{}", R"({"a": 2})", R"({"x": 2})", R"({"a": 1, "x": 2})", R"({"x": 2, "y": 2})"},
                 {R"({"a": 1})"}}},
               {});
  CheckSchemas({{R"({"type": "object", "not": {"enum": [{"a": 1}, {"a": 1, "b": 2}, {}]}})",
                 {R"({"a": 2})", R"({"b": 2})", R"({"b": 3, "a": 1})",
                  R"({"a": 1, "b": 2, "c": 3})", R"({"x": 1})"},
                 {"{}", R"({"a": 1})", R"({"a": 1, "b": 2})"}}});
}

}  // namespace
}  // namespace headway::grammar
