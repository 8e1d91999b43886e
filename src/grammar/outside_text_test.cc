#include "grammar/outside_text.h"

#include <gtest/gtest.h>

#include "grammar/match_fixture.h"

namespace headway::grammar {
namespace {

TEST(OutsideTextTest, PlainNumbers_KeepTheirValues) {
  const std::pair<const char*, const char*> cases[] = {
      {"1e3", "1000"},
      {"-1.25E+1", "-12.5"},
      {"1e-1", "0.1"},
      {"100e-2", "1"},
      {"0e999999999999999999999", "0"},
      {"[1e1,2.50,\"3e1\",{\"4e1\":5e0}]", "[10,2.50,\"3e1\",{\"4e1\":5}]"},
      {"\"a\\\"1e1\"", "\"a\\\"1e1\""},
      // No numbers of JSON: what is left must not become one.
      {"01e1", "01e1"},
      {"1.e1", "1.e1"},
      {"1e", "1e"},
      {"1e+", "1e+"},
      {"1e1.5", "1e1.5"},
      {"1.2.3e1", "1.2.3e1"},
      {"--1e1", "--1e1"},
      {"1e1-1e1", "1e1-1e1"},
      {"\"1e1", "\"1e1"},
      // Too large for the sets of numbers.
      {"1e401", "1e401"},
      {"1e-9999999999999999999", "1e-9999999999999999999"},
  };
  for (const auto& [text, plain] : cases) EXPECT_EQ(PlainNumbers(text).text, plain) << text;
}

TEST(OutsideTextTest, Original_FindsBytesInWhatWasRead) {
  const PlainText plain = PlainNumbers("[1e3, 1e-2, x]");
  ASSERT_EQ(plain.text, "[1000, 0.01, x]");
  EXPECT_EQ(plain.Original(0), 0U);
  EXPECT_EQ(plain.Original(3), 1U);    // inside the first number: its beginning
  EXPECT_EQ(plain.Original(5), 4U);    // the comma behind it
  EXPECT_EQ(plain.Original(13), 12U);  // x
  EXPECT_EQ(plain.Original(15), 14U);  // the end
}

TEST(OutsideTextTest, RepeatedName_IsTheFirstOne) {
  const std::pair<const char*, std::optional<size_t>> cases[] = {
      {R"({"a": 1, "b": 2})", std::nullopt},
      {R"({"a": 1, "a": 2})", 9},
      {R"({"a": 1, "\u0061": 2})", 9},
      {R"({"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]})", std::nullopt},
      {R"([{"b": ["c", "c"], "d": "b", "b": 1}])", 29},
      {R"({"a": "}", "b": ",", "\"": 1, "a": 1})", 30},
      {R"("a")", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& [text, byte] : cases) EXPECT_EQ(RepeatedName(text), byte) << text;
}

// What a match makes of it: number sets are spelled without exponents.
TEST(OutsideTextTest, NumbersWithExponents_AreInTheSetsOfTheirValues) {
  const auto matches = [](const char* schema, const char* text) {
    return MatchesSchema(schema, PlainNumbers(text).text);
  };
  EXPECT_TRUE(matches(R"({"type": "integer"})", "1e3"));
  EXPECT_TRUE(matches(R"({"type": "integer"})", "150e-1"));
  EXPECT_FALSE(matches(R"({"type": "integer"})", "155e-1"));
  EXPECT_TRUE(matches(R"({"minimum": 0.1})", "1e-1"));
  EXPECT_FALSE(matches(R"({"type": "number", "minimum": 0.1})", "99e-3"));
  EXPECT_TRUE(matches(R"({"const": 1e2})", "0.1E+3"));
  EXPECT_TRUE(matches(R"({"type": "number", "multipleOf": 0.01})", "123e-2"));
  EXPECT_FALSE(matches(R"({"type": "number", "multipleOf": 0.01})", "1235e-3"));
  EXPECT_TRUE(matches(R"({"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": true})",
                      "[10e-1, 2.0]"));
  EXPECT_FALSE(matches(R"({"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": true})",
                       "[10e-1, 1.0]"));
  EXPECT_TRUE(matches("{}", "[1e9999, -2E-9999]"));
  EXPECT_TRUE(matches(R"({"type": "number"})", "1e9999"));
}

}  // namespace
}  // namespace headway::grammar
