// Statements: what a template writes, sets and repeats.

#include <fmt/format.h>

#include <algorithm>

#include "base/quoted.h"
#include "jinja/evaluator.h"
#include "jinja/evaluator_parts.h"
#include "jinja/print.h"

namespace headway::jinja {

Result<Text> Evaluator::Run(const Node& body) {
  Text text;
  const Restored<Text*> out(&out_, &text);
  HW_TRY(const Flow flow, ExecuteBody(body));
  static_cast<void>(flow);  // the parser lets `break` stand in loops only
  return text;
}

Result<Evaluator::Flow> Evaluator::Execute(const Node& node) {
  const Level level(&depth_);
  HW_TRY_VOID(Enter(node));
  switch (node.kind) {
    case NodeKind::kText:
      HW_TRY_VOID(Print(node, node.value));
      return Flow::kOn;
    case NodeKind::kOutput: {
      HW_TRY(const Value value, Evaluate(*node.children[0]));
      HW_TRY_VOID(Print(node, value));
      return Flow::kOn;
    }
    case NodeKind::kBody:
      return ExecuteBody(node);
    case NodeKind::kIf:
      return ExecuteIf(node);
    case NodeKind::kFor:
      return ExecuteFor(node);
    case NodeKind::kWith:
      return ExecuteWith(node);
    case NodeKind::kSet:
      HW_TRY_VOID(ExecuteSet(node));
      return Flow::kOn;
    case NodeKind::kSetBlock:
      HW_TRY_VOID(ExecuteSetBlock(node));
      return Flow::kOn;
    case NodeKind::kMacro:
      scope_->Set(node.name, MacroValue(node, 1, node.name));
      return Flow::kOn;
    case NodeKind::kCallBlock:
      HW_TRY_VOID(ExecuteCallBlock(node));
      return Flow::kOn;
    case NodeKind::kFilterBlock:
      HW_TRY_VOID(ExecuteFilterBlock(node));
      return Flow::kOn;
    case NodeKind::kBreak:
      return Flow::kBreak;
    case NodeKind::kContinue:
      return Flow::kContinue;
    case NodeKind::kConstant:
    case NodeKind::kName:
    case NodeKind::kList:
    case NodeKind::kTuple:
    case NodeKind::kDict:
    case NodeKind::kNot:
    case NodeKind::kNegate:
    case NodeKind::kPlus:
    case NodeKind::kAnd:
    case NodeKind::kOr:
    case NodeKind::kArithmetic:
    case NodeKind::kConcatenate:
    case NodeKind::kCompare:
    case NodeKind::kConditional:
    case NodeKind::kAttribute:
    case NodeKind::kItem:
    case NodeKind::kSlice:
    case NodeKind::kCall:
    case NodeKind::kFilter:
    case NodeKind::kTest:
    case NodeKind::kHole:
    case NodeKind::kAttributeOf:
      break;
  }
  return Fail(ErrorCode::kInvalidInput,
              At(node.place) + "expected a statement, found an expression");
}

Result<Evaluator::Flow> Evaluator::ExecuteBody(const Node& node) {
  for (const NodePtr& child : node.children) {
    HW_TRY(const Flow flow, Execute(*child));
    if (flow != Flow::kOn) return flow;
  }
  return Flow::kOn;
}

Result<void> Evaluator::Print(const Node& node, const Value& value) {
  HW_TRY(const Text text, Located(node, context_->ToText(value)));
  HW_TRY_VOID(Located(node, context_->budget.Build(text.bytes().size())));
  out_->Append(text);
  return {};
}

Result<Evaluator::Flow> Evaluator::ExecuteIf(const Node& node) {
  size_t i = 0;
  for (; i + 1 < node.children.size(); i += 2) {
    HW_TRY(const Value test, Evaluate(*node.children[i]));
    if (test.IsTrue()) return ExecuteBody(*node.children[i + 1]);
  }
  return i < node.children.size() ? ExecuteBody(*node.children[i]) : Flow::kOn;
}

Result<Evaluator::Flow> Evaluator::ExecuteFor(const Node& node) {
  HW_TRY(const Value over, Evaluate(*node.children[1]));
  HW_TRY(std::vector<Value> items, Located(node, context_->Items(over)));
  if (const Node* condition = node.children[2].get()) {
    std::vector<Value> kept;
    for (Value& item : items) {
      const Restored<std::shared_ptr<Scope>> scope(
          &scope_, std::make_shared<Scope>(Scope{.names = {}, .outer = scope_}));
      HW_TRY_VOID(Assign(*node.children[0], item));
      HW_TRY(const Value passes, Evaluate(*condition));
      if (passes.IsTrue()) kept.push_back(std::move(item));
    }
    items = std::move(kept);
  }
  if (!items.empty()) return RunLoop(node, std::move(items));
  const Node* otherwise = node.children[4].get();
  if (otherwise == nullptr) return Flow::kOn;
  const Restored<std::shared_ptr<Scope>> scope(
      &scope_, std::make_shared<Scope>(Scope{.names = {}, .outer = scope_}));
  return ExecuteBody(*otherwise);
}

Result<Evaluator::Flow> Evaluator::RunLoop(const Node& node, std::vector<Value> items) {
  const auto loop = std::make_shared<LoopState>();
  for (const Value& item : items) loop->value_depth = std::max(loop->value_depth, item.Depth());
  if (loop->value_depth >= kDeepestValue)
    return Located(node, Result<Flow>(Wrong("expected values nested less deep to loop over")));
  loop->items = std::move(items);
  for (size_t i = 0; i < loop->items.size(); ++i) {
    HW_TRY_VOID(Enter(node));
    loop->index = i;
    const Restored<std::shared_ptr<Scope>> scope(
        &scope_, std::make_shared<Scope>(Scope{.names = {}, .outer = scope_}));
    scope_->Set("loop", Value::Of(loop));
    HW_TRY_VOID(Assign(*node.children[0], loop->items[i]));
    HW_TRY(const Flow flow, ExecuteBody(*node.children[3]));
    if (flow == Flow::kBreak) break;
  }
  return Flow::kOn;
}

Result<Evaluator::Flow> Evaluator::ExecuteWith(const Node& node) {
  auto inner = std::make_shared<Scope>(Scope{.names = {}, .outer = scope_});
  for (size_t i = 1; i + 1 < node.children.size(); i += 2) {
    HW_TRY(Value value, Evaluate(*node.children[i + 1]));
    inner->Set(node.children[i]->name, std::move(value));
  }
  const Restored<std::shared_ptr<Scope>> scope(&scope_, std::move(inner));
  return ExecuteBody(*node.children[0]);
}

Result<void> Evaluator::ExecuteSet(const Node& node) {
  HW_TRY(Value value, Evaluate(*node.children[1]));
  return Assign(*node.children[0], std::move(value));
}

Result<void> Evaluator::ExecuteSetBlock(const Node& node) {
  HW_TRY(Value text, Captured(*node.children[1]));
  if (const Node* filters = node.children[2].get()) {
    const Restored<Value> hole(&hole_, std::move(text));
    HW_TRY(text, Evaluate(*filters));
  }
  return Assign(*node.children[0], std::move(text));
}

Result<void> Evaluator::ExecuteFilterBlock(const Node& node) {
  HW_TRY(Value text, Captured(*node.children[1]));
  const Restored<Value> hole(&hole_, std::move(text));
  HW_TRY(const Value filtered, Evaluate(*node.children[0]));
  return Print(node, filtered);
}

Result<void> Evaluator::ExecuteCallBlock(const Node& node) {
  const Value caller = MacroValue(node, 2, "caller");
  HW_TRY(const Value text, EvaluateCall(*node.children[1], &caller));
  return Print(node, text);
}

Result<void> Evaluator::Assign(const Node& target, Value value) {
  if (target.kind == NodeKind::kName) {
    scope_->Set(target.name, std::move(value));
    return {};
  }
  if (target.kind == NodeKind::kAttributeOf) {
    HW_TRY(const Value space, EvaluateName(target));
    if (!space.Is(Value::Kind::kNamespace)) {
      return Located(target,
                     Result<void>(Wrong("expected a namespace whose attribute to set, found " +
                                        std::string(space.TypeName()))));
    }
    space.space()->attributes.Set(target.names.front(), std::move(value));
    return Located(target, context_->budget.Build(sizeof(Value)));
  }
  HW_TRY(std::vector<Value> items, Located(target, context_->Items(value)));
  if (items.size() != target.children.size()) {
    return Located(target, Result<void>(Wrong(fmt::format(
                               "expected {} values for {} names, found {}", target.children.size(),
                               target.children.size(), items.size()))));
  }
  for (size_t i = 0; i < items.size(); ++i)
    HW_TRY_VOID(Assign(*target.children[i], std::move(items[i])));
  return {};
}

Result<Value> Evaluator::Captured(const Node& body) {
  Text text;
  const Restored<Text*> out(&out_, &text);
  const Restored<std::shared_ptr<Scope>> scope(
      &scope_, std::make_shared<Scope>(Scope{.names = {}, .outer = scope_}));
  HW_TRY(const Flow flow, ExecuteBody(body));
  static_cast<void>(flow);
  return Value::Of(std::move(text));
}

Value Evaluator::MacroValue(const Node& node, size_t first_default, std::string_view name) {
  macros_.push_back(std::make_unique<Macro>(
      Macro{.node = &node, .scope = scope_, .first_default = first_default}));
  return Value::Of(Function{.name = std::string(name),
                            .builtin = nullptr,
                            .receiver = std::nullopt,
                            .macro = macros_.back().get()});
}

bool Evaluator::Mentions(const Node& node, std::string_view name) {
  const auto key = std::make_pair(&node, std::string(name));
  const auto known = mentions_.find(key);
  if (known != mentions_.end()) return known->second;
  bool found = node.kind == NodeKind::kName && node.name == name;
  for (const NodePtr& child : node.children)
    found = found || (child != nullptr && Mentions(*child, name));
  mentions_[key] = found;
  return found;
}

Result<void> Evaluator::BindParameters(const Macro& macro, const Arguments& arguments,
                                       const Value* caller) {
  const Node& node = *macro.node;
  const Node& body = *node.children[0];
  const size_t places = std::min(arguments.positional.size(), node.names.size());
  for (size_t i = 0; i < places; ++i) scope_->Set(node.names[i], arguments.positional[i]);
  Dict rest;
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find(node.names.begin(), node.names.end(), name);
    if (found != node.names.end() && static_cast<size_t>(found - node.names.begin()) >= places) {
      scope_->Set(name, value);
    } else {
      rest.Set(name, value);
    }
  }
  const size_t defaults = node.children.size() - macro.first_default;
  for (size_t i = 0; i < node.names.size(); ++i) {
    if (scope_->Find(node.names[i]) != nullptr) continue;
    const size_t back = node.names.size() - i;  // 1 for the last parameter
    Value value = Value::Missing(
        fmt::format("parameter '{}' was not provided", PrintableWords(node.names[i])));
    if (back <= defaults) {
      HW_TRY(value, Evaluate(*node.children[node.children.size() - back]));
    }
    scope_->Set(node.names[i], std::move(value));
  }
  if (Mentions(body, "caller") && scope_->Find("caller") == nullptr) {
    scope_->Set("caller", caller != nullptr ? *caller : Value::Missing("No caller defined"));
  } else if (caller != nullptr) {
    return Wrong("expected a macro that calls its caller, found another one");
  }
  if (Mentions(body, "kwargs")) {
    HW_TRY(Value named, context_->Make(std::move(rest)));
    scope_->Set("kwargs", std::move(named));
  } else if (!rest.entries.empty()) {
    return Wrong(fmt::format("expected no argument '{}'",
                             PrintableWords(rest.entries.front().first.bytes())));
  }
  if (Mentions(body, "varargs")) {
    List more{.items = {arguments.positional.begin() + static_cast<int64_t>(places),
                        arguments.positional.end()},
              .form = List::Form::kTuple};
    HW_TRY(Value values, context_->Make(std::move(more)));
    scope_->Set("varargs", std::move(values));
  } else if (arguments.positional.size() > places) {
    return Wrong(fmt::format("expected at most {} arguments, found {}", node.names.size(),
                             arguments.positional.size()));
  }
  return {};
}

Result<Value> Evaluator::CallMacro(const Node& at, const Macro& macro, const Arguments& arguments,
                                   const Value* caller) {
  const Level level(&depth_);
  HW_TRY_VOID(Enter(at));
  Text text;
  const Restored<Text*> out(&out_, &text);
  const Restored<std::shared_ptr<Scope>> scope(
      &scope_, std::make_shared<Scope>(Scope{.names = {}, .outer = macro.scope}));
  Result<void> bound = BindParameters(macro, arguments, caller);
  // An error of a default has its place already.
  if (!bound && bound.error().message.starts_with("line "))
    return tl::unexpected<Error>(bound.error());
  HW_TRY_VOID(Located(at, std::move(bound)));
  HW_TRY(const Flow flow, ExecuteBody(*macro.node->children[0]));
  static_cast<void>(flow);
  return Value::Of(std::move(text));
}

}  // namespace headway::jinja
