// Expressions; statements stand in statements.cc.

#include "jinja/evaluator.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/quoted.h"
#include "jinja/builtins.h"
#include "jinja/evaluator_parts.h"
#include "jinja/operators.h"
#include "jinja/print.h"

namespace headway::jinja {
namespace {

constexpr int kDeepestEvaluation = 700;

}  // namespace

Value* Scope::Find(std::string_view name) {
  for (auto& [mine, value] : names) {
    if (mine == name) return &value;
  }
  return nullptr;
}

void Scope::Set(std::string_view name, Value value) {
  if (Value* place = Find(name)) {
    *place = std::move(value);
  } else {
    names.emplace_back(name, std::move(value));
  }
}

Result<void> Evaluator::Enter(const Node& node) {
  if (depth_ > kDeepestEvaluation) {
    return Fail(
        ErrorCode::kInvalidInput,
        At(node.place) + fmt::format("expected calls and blocks of at most {} levels, found "
                                     "more",
                                     kDeepestEvaluation));
  }
  return Located(node, context_->budget.Step());
}

Result<Value> Evaluator::Evaluate(const Node& node) {
  const Level level(&depth_);
  HW_TRY_VOID(Enter(node));
  switch (node.kind) {
    case NodeKind::kConstant:
      return node.value;
    case NodeKind::kHole:
      return hole_;
    case NodeKind::kName:
      return EvaluateName(node);
    case NodeKind::kList:
    case NodeKind::kTuple:
      return EvaluateItems(node);
    case NodeKind::kDict:
      return EvaluateDict(node);
    case NodeKind::kNot:
    case NodeKind::kAnd:
    case NodeKind::kOr:
    case NodeKind::kConditional:
      return EvaluateLogic(node);
    case NodeKind::kNegate:
    case NodeKind::kPlus: {
      HW_TRY(const Value value, Evaluate(*node.children[0]));
      HW_TRY(Value negative, Located(node, Negative(value)));
      return node.kind == NodeKind::kNegate ? std::move(negative)
                                            : Located(node, Negative(negative));
    }
    case NodeKind::kArithmetic: {
      HW_TRY(const Value left, Evaluate(*node.children[0]));
      HW_TRY(const Value right, Evaluate(*node.children[1]));
      return Located(node, Arithmetic(node.name, left, right, context_));
    }
    case NodeKind::kConcatenate:
      return EvaluateConcatenate(node);
    case NodeKind::kCompare:
      return EvaluateCompare(node);
    case NodeKind::kAttribute: {
      HW_TRY(const Value value, Evaluate(*node.children[0]));
      return Located(node, GetAttribute(value, node.name));
    }
    case NodeKind::kItem: {
      HW_TRY(const Value value, Evaluate(*node.children[0]));
      HW_TRY(const Value key, Evaluate(*node.children[1]));
      return Located(node, GetItem(value, key, context_));
    }
    case NodeKind::kSlice:
      return EvaluateSlice(node);
    case NodeKind::kCall:
      return EvaluateCall(node, nullptr);
    case NodeKind::kFilter:
    case NodeKind::kTest:
      return EvaluateFilterOrTest(node);
    case NodeKind::kBody:
    case NodeKind::kText:
    case NodeKind::kOutput:
    case NodeKind::kIf:
    case NodeKind::kFor:
    case NodeKind::kSet:
    case NodeKind::kSetBlock:
    case NodeKind::kAttributeOf:
    case NodeKind::kMacro:
    case NodeKind::kCallBlock:
    case NodeKind::kFilterBlock:
    case NodeKind::kWith:
    case NodeKind::kBreak:
    case NodeKind::kContinue:
      break;
  }
  return Fail(ErrorCode::kInvalidInput,
              At(node.place) + "expected an expression, found a statement");
}

Result<Value> Evaluator::EvaluateName(const Node& node) {
  for (Scope* scope = scope_.get(); scope != nullptr; scope = scope->outer.get()) {
    HW_TRY_VOID(
        Located(node, context_->budget.Step(static_cast<int64_t>(scope->names.size() / 8))));
    if (const Value* found = scope->Find(node.name)) return *found;
  }
  if (const Value* found = variables_.Find(node.name)) return *found;
  const bool is_namespace = node.name == "namespace";
  if (const Builtin builtin = FindGlobal(node.name); builtin != nullptr || is_namespace) {
    return Value::Of(Function{
        .name = node.name, .builtin = builtin, .receiver = std::nullopt, .macro = nullptr});
  }
  return Value::Missing(fmt::format("'{}' is undefined", PrintableWords(node.name)));
}

Result<Value> Evaluator::EvaluateItems(const Node& node) {
  List list{.items = {},
            .form = node.kind == NodeKind::kTuple ? List::Form::kTuple : List::Form::kList};
  for (const NodePtr& child : node.children) {
    HW_TRY(Value item, Evaluate(*child));
    list.items.push_back(std::move(item));
  }
  return Located(node, context_->Make(std::move(list)));
}

Result<Value> Evaluator::EvaluateDict(const Node& node) {
  Dict dict;
  for (size_t i = 0; i < node.children.size(); i += 2) {
    HW_TRY(Value key, Evaluate(*node.children[i]));
    HW_TRY_VOID(Located(node, CheckKey(key)));
    HW_TRY(Value value, Evaluate(*node.children[i + 1]));
    HW_TRY_VOID(
        Located(node, context_->budget.Step(static_cast<int64_t>(dict.entries.size() / 8))));
    dict.Set(std::move(key), std::move(value));
  }
  return Located(node, context_->Make(std::move(dict)));
}

Result<Value> Evaluator::EvaluateLogic(const Node& node) {
  HW_TRY(Value first, Evaluate(*node.children[0]));
  const bool is_true = first.IsTrue();
  if (node.kind == NodeKind::kNot) return Value::Of(!is_true);
  if (node.kind == NodeKind::kAnd && !is_true) return first;
  if (node.kind == NodeKind::kOr && is_true) return first;
  if (node.kind != NodeKind::kConditional) return Evaluate(*node.children[1]);
  if (is_true) return Evaluate(*node.children[1]);
  if (node.children.size() > 2) return Evaluate(*node.children[2]);
  return Value::Missing("the inline if-expression is false and has no else part");
}

Result<Value> Evaluator::EvaluateCompare(const Node& node) {
  HW_TRY(Value left, Evaluate(*node.children[0]));
  for (size_t i = 0; i < node.names.size(); ++i) {
    HW_TRY(Value right, Evaluate(*node.children[i + 1]));
    HW_TRY(const bool holds, Located(node, Compare(node.names[i], left, right, context_)));
    if (!holds) return Value::Of(false);
    left = std::move(right);
  }
  return Value::Of(true);
}

Result<Value> Evaluator::EvaluateConcatenate(const Node& node) {
  Text text;
  for (const NodePtr& child : node.children) {
    HW_TRY(const Value part, Evaluate(*child));
    HW_TRY(const Text piece, Located(*child, context_->ToText(part)));
    HW_TRY_VOID(Located(node, context_->budget.Build(piece.bytes().size())));
    text.Append(piece);
  }
  return Value::Of(std::move(text));
}

Result<Value> Evaluator::EvaluateSlice(const Node& node) {
  HW_TRY(const Value value, Evaluate(*node.children[0]));
  std::vector<Value> parts(3);
  std::vector<const Value*> given(3, nullptr);
  for (size_t i = 0; i < 3; ++i) {
    if (node.children[i + 1] == nullptr) continue;
    HW_TRY(parts[i], Evaluate(*node.children[i + 1]));
    given[i] = &parts[i];
  }
  return Located(node, GetSlice(value, given[0], given[1], given[2], context_));
}

Result<Arguments> Evaluator::EvaluateArguments(const Node& node) {
  Arguments arguments;
  const size_t by_place = node.children.size() - 1 - node.names.size();
  for (size_t i = 1; i < node.children.size(); ++i) {
    HW_TRY(Value value, Evaluate(*node.children[i]));
    if (i <= by_place) {
      arguments.positional.push_back(std::move(value));
    } else {
      arguments.named.emplace_back(node.names[i - by_place - 1], std::move(value));
    }
  }
  return arguments;
}

Result<Value> Evaluator::EvaluateCall(const Node& node, const Value* caller) {
  HW_TRY(const Value callee, Evaluate(*node.children[0]));
  if (!callee.Is(Value::Kind::kFunction)) {
    return Located(
        node, Result<Value>(Wrong(
                  callee.IsUndefined()
                      ? callee.Reason()
                      : fmt::format("expected something to call, found {}", callee.TypeName()))));
  }
  HW_TRY(Arguments arguments, EvaluateArguments(node));
  return Call(node, callee.function(), std::move(arguments), caller);
}

Result<Value> Evaluator::Call(const Node& node, const Function& function, Arguments arguments,
                              const Value* caller) {
  if (function.macro != nullptr) return CallMacro(node, *function.macro, arguments, caller);
  if (caller != nullptr)
    return Located(node,
                   Result<Value>(Wrong("expected a macro to call with a block, found a function")));
  if (function.builtin == nullptr) return Located(node, MakeNamespace(arguments));
  if (function.receiver)
    arguments.positional.insert(arguments.positional.begin(), *function.receiver);
  return Located(node, function.builtin(context_, arguments));
}

Result<Value> Evaluator::MakeNamespace(const Arguments& arguments) {
  HW_TRY(const Value dict, FindGlobal("dict")(context_, arguments));
  spaces_.push_back(std::make_unique<Namespace>());
  spaces_.back()->attributes = dict.dict();
  HW_TRY_VOID(context_->budget.Build(sizeof(Namespace)));
  return Value::Of(spaces_.back().get());
}

Result<Value> Evaluator::EvaluateFilterOrTest(const Node& node) {
  const bool is_filter = node.kind == NodeKind::kFilter;
  HW_TRY(Value value, Evaluate(*node.children[0]));
  const Builtin builtin = is_filter ? FindFilter(node.name) : FindTest(node.name);
  if (builtin == nullptr) {
    return Fail(
        ErrorCode::kUnsupported,
        At(node.place) + fmt::format("expected a {} that is understood here, found '{}'",
                                     is_filter ? "filter" : "test", PrintableWords(node.name)));
  }
  HW_TRY(Arguments arguments, EvaluateArguments(node));
  arguments.positional.insert(arguments.positional.begin(), std::move(value));
  return Located(node, builtin(context_, arguments));
}

}  // namespace headway::jinja
