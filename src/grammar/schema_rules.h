#pragma once

// Goals as rules of a grammar. What no finite text fits is left out: the grammar has no dead ends.

#include <deque>
#include <string>
#include <vector>

#include "base/result.h"
#include "grammar/json_text.h"
#include "grammar/schema_goals.h"
#include "grammar/value_graph.h"

namespace headway::grammar {

class SchemaRules {
 public:
  SchemaRules(SchemaGoals* goals, const SchemaOptions& options)
      : goals_(goals), options_(options), text_(options, &rules_) {}

  // The rules of the values that fit `root`, "root" among them; call once. Errors: kUnsupported,
  // for what cannot be written as one and where no finite text fits.
  Result<Rules> Run(Goal root);

 private:
  struct Parts {
    const Shape* shape = nullptr;
    std::vector<ValueGraph> graphs;
    bool any_object = false;
    bool any_array = false;
    bool is_productive = false;
  };

  Result<void> Collect(Goal goal);
  void FindProductive();
  bool IsProductive(Goal goal) const {
    return goal == kAnything || (goal != kNothing && parts_[Index(goal)].is_productive);
  }
  // For each state, whether the end can be reached.
  std::vector<bool> StatesThatEnd(const ValueGraph& graph) const;
  Result<std::vector<Expression>> SpokenOf(const Parts& parts);
  Result<Expression> Body(const Parts& parts);
  Result<Expression> OfGraph(const ValueGraph& graph);
  Result<Expression> Member(const ValueGraph& graph, const ValueGraph::Edge& edge);
  static std::string RuleOf(Goal goal);
  static size_t Index(Goal goal) { return static_cast<size_t>(goal); }

  SchemaGoals* const goals_;
  const SchemaOptions options_;
  Rules rules_;
  JsonText text_;
  std::vector<Parts> parts_;   // by goal
  std::vector<Goal> reached_;  // in the order in which they were met
  std::vector<bool> is_reached_;
};

}  // namespace headway::grammar
