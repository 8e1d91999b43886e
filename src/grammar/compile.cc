#include "grammar/compile.h"

#include <utility>

#include "grammar/gbnf_parser.h"
#include "grammar/json_schema.h"

namespace headway::grammar {
namespace {

Result<std::shared_ptr<const Automaton>> BuildShared(const Result<Rules>& rules,
                                                     const char* context) {
  if (!rules) return Prefixed(rules.error(), context);
  auto automaton = Automaton::Build(*rules);
  if (!automaton) return Prefixed(automaton.error(), context);
  return std::make_shared<const Automaton>(*std::move(automaton));
}

}  // namespace

Result<std::shared_ptr<const Automaton>> CompileGbnf(std::string_view gbnf) {
  return BuildShared(ParseGbnf(gbnf), "grammar");
}

Result<std::shared_ptr<const Automaton>> CompileJsonSchema(std::string_view json,
                                                           const SchemaOptions& options) {
  return BuildShared(ParseJsonSchema(json, options), "schema");
}

}  // namespace headway::grammar
