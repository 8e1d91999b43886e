#pragma once

// Whole texts against grammars, for this folder's tests.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/gbnf_parser.h"
#include "grammar/json_schema.h"
#include "grammar/matcher.h"

namespace headway::grammar {

inline std::shared_ptr<const Automaton> BuildOrNull(const Result<Rules>& rules) {
  EXPECT_TRUE(rules) << (rules ? "" : rules.error().message);
  if (!rules) return nullptr;
  auto automaton = Automaton::Build(*rules);
  EXPECT_TRUE(automaton) << (automaton ? "" : automaton.error().message);
  return automaton ? std::make_shared<const Automaton>(*std::move(automaton)) : nullptr;
}

// True when `text` is a whole text of the grammar.
inline bool Matches(const std::shared_ptr<const Automaton>& automaton, std::string_view text) {
  if (automaton == nullptr) return false;
  Matcher matcher(automaton);
  Matcher::Position at = matcher.Start();
  for (const char c : text) {
    if (at == Matcher::kDead) return false;
    at = matcher.Next(at, static_cast<uint8_t>(c));
  }
  return at != Matcher::kDead && matcher.CanEnd(at);
}

inline bool MatchesGbnf(std::string_view grammar, std::string_view text) {
  return Matches(BuildOrNull(ParseGbnf(grammar)), text);
}
inline bool MatchesSchema(std::string_view schema, std::string_view text,
                          const SchemaOptions& options = kEverySpelling) {
  return Matches(BuildOrNull(ParseJsonSchema(schema, options)), text);
}

struct SchemaCase {
  const char* schema;
  std::vector<std::string> matches;
  std::vector<std::string> others;
};
inline void CheckSchemas(const std::vector<SchemaCase>& cases,
                         const SchemaOptions& options = kEverySpelling) {
  for (const SchemaCase& each : cases) {
    const auto automaton = BuildOrNull(ParseJsonSchema(each.schema, options));
    for (const std::string& text : each.matches)
      EXPECT_TRUE(Matches(automaton, text)) << each.schema << " on " << text;
    for (const std::string& text : each.others)
      EXPECT_FALSE(Matches(automaton, text)) << each.schema << " on " << text;
  }
}

// The message of the error in making a grammar of it; empty when there is none.
inline std::string GbnfError(std::string_view grammar) {
  const auto rules = ParseGbnf(grammar);
  if (!rules) return rules.error().message;
  const auto automaton = Automaton::Build(*rules);
  return automaton ? "" : automaton.error().message;
}
inline std::string SchemaError(std::string_view schema) {
  const auto rules = ParseJsonSchema(schema);
  if (!rules) return rules.error().message;
  const auto automaton = Automaton::Build(*rules);
  return automaton ? "" : automaton.error().message;
}

}  // namespace headway::grammar
