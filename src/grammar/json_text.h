#pragma once

// The parts of JSON's spelling that every schema is made of, as rules of a grammar: strings and
// numbers of a set, white space, and any value at all.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "grammar/dfa.h"
#include "grammar/expression.h"
#include "grammar/schema_options.h"

namespace headway::grammar {

class JsonText {
 public:
  // Adds its rules to `rules`, which must outlive it: "value", "object", "array", "string",
  // "number" and those that other functions return.
  JsonText(const SchemaOptions& options, Rules* rules);

  // Between quotation marks.
  Expression String(const DfaPointer& values);
  Expression Name(const std::string& name);
  Result<Expression> Number(const DfaPointer& numbers);
  // A scalar of which one text is given.
  Result<Expression> Scalar(const std::string& text);

  Expression Space() const;
  Expression Comma() const;
  Expression Colon() const;

 private:
  bool IsCanonical() const;
  Expression Character(const std::vector<CodeRange>& ranges);
  Expression Ways(const std::vector<CodeRange>& ranges) const;
  void AddAnyValue();

  const SchemaOptions options_;
  Rules* const rules_;
  std::map<std::vector<std::pair<uint32_t, uint32_t>>, std::string> characters_;
  // The sets are kept, so that no other one gets the address of one that was.
  std::map<DfaPointer, std::string> strings_;
  std::map<DfaPointer, std::string> numbers_;
};

// The automaton's texts, `character` spelling the code points of an edge.
template <class Character>
Machine SpelledOut(const Dfa& dfa, const Character& character) {
  Machine machine;
  for (const Dfa::State& state : dfa.states) {
    std::map<int32_t, std::vector<CodeRange>> ranges;  // by target
    uint32_t first = 0;
    for (const Dfa::Edge& edge : state.edges) {
      if (edge.target != Dfa::kNone) ranges[edge.target].push_back({first, edge.last});
      first = edge.last + 1;
    }
    Machine::State spelled;
    spelled.ends = state.accepts;
    for (const auto& [target, of_target] : ranges)
      spelled.edges.push_back({character(of_target), target});
    machine.states.push_back(std::move(spelled));
  }
  return machine;
}

}  // namespace headway::grammar
