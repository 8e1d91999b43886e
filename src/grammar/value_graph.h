#pragma once

// The members of objects, or the items of arrays, that fulfil the demands of one way, as a finite
// automaton whose edges are members.

#include <string>
#include <vector>

#include "base/result.h"
#include "grammar/schema_goals.h"
#include "grammar/schema_options.h"

namespace headway::grammar {

struct ValueGraph {
  struct Edge {
    bool skips = false;     // nothing is written
    bool is_first = false;  // no comma before it
    DfaPointer names = {};  // of an object's member, unless it is `name`
    std::string name = {};
    Goal value = kAnything;
    std::string text = {};  // instead of `value`: this text of it, when not empty
    int32_t target = 0;
  };
  struct State {
    std::vector<Edge> edges;
    bool ends = false;
  };
  bool is_object = false;
  std::vector<State> states;  // 0 is the first
};

// Named properties in the order in which the schema names them, then the others in any order.
// Errors: kUnsupported, naming the keyword.
Result<ValueGraph> ObjectGraph(const Demands& demands, const SchemaOptions& options,
                               SchemaGoals* goals);
Result<ValueGraph> ArrayGraph(const Demands& demands, SchemaGoals* goals);

inline constexpr int64_t kMostGraphStates = 120000;

}  // namespace headway::grammar
