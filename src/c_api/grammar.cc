// Grammars and schemas that are compiled once.

#include <utility>

#include "c_api/calls.h"
#include "c_api/handles.h"
#include "c_api/options.h"
#include "grammar/compile.h"

using headway::ErrorCode;
using headway::Fail;
using headway::Result;
using namespace headway::c_api;  // NOLINT(google-build-using-namespace): this file is its C face

headway_status headway_grammar_new(const char* gbnf, const char* json_schema,
                                   headway_grammar** out) {
  const headway_grammar_options options = {.size = sizeof(options),
                                           .gbnf = gbnf,
                                           .json_schema = json_schema,
                                           .json_whitespace = HEADWAY_JSON_WHITESPACE_CANONICAL,
                                           .json_any_properties = 0};
  return headway_grammar_new_with(&options, out);
}

headway_status headway_grammar_new_with(const headway_grammar_options* options,
                                        headway_grammar** out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(out, "grammar's place"));
    HW_TRY(const headway_grammar_options given, ReadStruct(options, "grammar options"));
    const std::string grammar = TextOrEmpty(given.gbnf);
    const std::string schema = TextOrEmpty(given.json_schema);
    if (grammar.empty() == schema.empty())
      return Fail(ErrorCode::kInvalidInput, "grammar: expected one of gbnf and json_schema");
    HW_TRY(const headway::JsonWhitespace white_space, WhitespaceOf(given.json_whitespace));
    const bool is_free = white_space == headway::JsonWhitespace::kFree;
    const bool any_properties = given.json_any_properties != 0;
    if (schema.empty() && (is_free || any_properties)) {
      return Fail(ErrorCode::kInvalidInput,
                  "grammar: json_whitespace, json_any_properties: expected a json_schema beside "
                  "them, found none");
    }
    HW_TRY(auto automaton, schema.empty() ? headway::grammar::CompileGbnf(grammar)
                                          : headway::grammar::CompileJsonSchema(
                                                schema, {.free_white_space = is_free,
                                                         .unnamed_properties = any_properties}));
    *out = new headway_grammar{.automaton = std::move(automaton), .is_schema = grammar.empty()};
    return HEADWAY_OK;
  });
}

void headway_grammar_free(headway_grammar* grammar) { delete grammar; }
