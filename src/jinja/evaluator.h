#pragma once

// Runs a template's tree once. Values never leave it; the text does.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "jinja/context.h"
#include "jinja/syntax.h"

namespace headway::jinja {

// Names of one block; what it lacks is looked up outside. Its chain is as long as the tree is high.
struct Scope {
  std::vector<std::pair<std::string, Value>> names = {};
  std::shared_ptr<Scope> outer = nullptr;

  Value* Find(std::string_view name);
  void Set(std::string_view name, Value value);
};

// A macro, or the body of a call block, where it was defined.
struct Macro {
  const Node* node = nullptr;
  std::shared_ptr<Scope> scope = nullptr;
  size_t first_default = 1;  // of node->children
};

class Evaluator {
 public:
  Evaluator(const Dict& variables, Context* context) : variables_(variables), context_(context) {}

  // Errors: kInvalidInput with line and column.
  Result<Text> Run(const Node& body);

 private:
  enum class Flow { kOn, kBreak, kContinue };
  class Level;  // counts how deep the evaluator has gone into itself

  Result<void> Enter(const Node& node);
  // `outcome` with the place of `node` before its message.
  template <class T>
  static Result<T> Located(const Node& node, Result<T> outcome);

  Result<Value> Evaluate(const Node& node);
  Result<Value> EvaluateName(const Node& node);
  Result<Value> EvaluateItems(const Node& node);
  Result<Value> EvaluateDict(const Node& node);
  Result<Value> EvaluateLogic(const Node& node);
  Result<Value> EvaluateCompare(const Node& node);
  Result<Value> EvaluateConcatenate(const Node& node);
  Result<Value> EvaluateSlice(const Node& node);
  Result<Value> EvaluateCall(const Node& node, const Value* caller);
  Result<Value> EvaluateFilterOrTest(const Node& node);
  Result<Arguments> EvaluateArguments(const Node& node);
  Result<Value> Call(const Node& node, const Function& function, Arguments arguments,
                     const Value* caller);
  Result<Value> MakeNamespace(const Arguments& arguments);

  Result<Flow> Execute(const Node& node);
  Result<Flow> ExecuteBody(const Node& node);
  Result<Flow> ExecuteIf(const Node& node);
  Result<Flow> ExecuteFor(const Node& node);
  Result<Flow> RunLoop(const Node& node, std::vector<Value> items);
  Result<Flow> ExecuteWith(const Node& node);
  Result<void> ExecuteSet(const Node& node);
  Result<void> ExecuteSetBlock(const Node& node);
  Result<void> ExecuteCallBlock(const Node& node);
  Result<void> ExecuteFilterBlock(const Node& node);
  Result<void> Print(const Node& node, const Value& value);
  Result<void> Assign(const Node& target, Value value);
  // What `body` writes, in a scope of its own.
  Result<Value> Captured(const Node& body);
  Result<Value> CallMacro(const Node& at, const Macro& macro, const Arguments& arguments,
                          const Value* caller);
  Result<void> BindParameters(const Macro& macro, const Arguments& arguments, const Value* caller);
  Value MacroValue(const Node& node, size_t first_default, std::string_view name);
  bool Mentions(const Node& node, std::string_view name);

  const Dict& variables_;
  Context* const context_;
  std::shared_ptr<Scope> scope_ = std::make_shared<Scope>();
  Text* out_ = nullptr;
  Value hole_;
  int depth_ = 0;
  std::vector<std::unique_ptr<Macro>> macros_;
  std::vector<std::unique_ptr<Namespace>> spaces_;
  std::map<std::pair<const Node*, std::string>, bool> mentions_;
};

}  // namespace headway::jinja
