#include "jinja/expression_parser.h"

namespace headway::jinja {
namespace {

constexpr int kDeepestParser = 120;

bool IsTupleEnd(const TokenCursor& cursor) {
  const Token::Kind kind = cursor.Peek().kind;
  return kind == Token::Kind::kOutputEnd || kind == Token::Kind::kBlockEnd ||
         cursor.IsOperator(")") || cursor.IsName("in") || cursor.IsName("recursive");
}

}  // namespace

Result<void> ExpressionParser::CheckLevel() const {
  if (depth_ <= kDeepestParser) return {};
  return cursor_.Expected("at most " + std::to_string(kDeepestParser) + " levels of nesting");
}

Result<NodePtr> ExpressionParser::Binary(NodeKind kind, NodePtr left, NodePtr right,
                                         std::string name) {
  NodePtr node = NewNode(kind, left->place, std::move(name));
  HW_TRY_VOID(AddChild(node.get(), std::move(left)));
  HW_TRY_VOID(AddChild(node.get(), std::move(right)));
  return node;
}

Result<NodePtr> ExpressionParser::Expression() {
  const Level level(&depth_);
  HW_TRY_VOID(CheckLevel());
  HW_TRY(NodePtr value, Or());
  while (cursor_.TakeName("if")) {
    HW_TRY(NodePtr test, Or());
    NodePtr node = NewNode(NodeKind::kConditional, value->place);
    HW_TRY_VOID(AddChild(node.get(), std::move(test)));
    HW_TRY_VOID(AddChild(node.get(), std::move(value)));
    if (cursor_.TakeName("else")) {
      HW_TRY(NodePtr otherwise, Expression());
      HW_TRY_VOID(AddChild(node.get(), std::move(otherwise)));
    }
    value = std::move(node);
  }
  return value;
}

Result<NodePtr> ExpressionParser::ExpressionOrTuple(bool allow_conditional) {
  const Place place = cursor_.Peek().place;
  std::vector<NodePtr> items;
  bool is_tuple = false;
  while (true) {
    if (is_tuple && IsTupleEnd(cursor_)) break;
    HW_TRY(NodePtr item, allow_conditional ? Expression() : Or());
    items.push_back(std::move(item));
    if (!cursor_.TakeOperator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple) return std::move(items.front());
  NodePtr tuple = NewNode(NodeKind::kTuple, place);
  for (NodePtr& item : items) HW_TRY_VOID(AddChild(tuple.get(), std::move(item)));
  return tuple;
}

Result<NodePtr> ExpressionParser::Target(bool allow_attribute) {
  const Place place = cursor_.Peek().place;
  const auto one = [&]() -> Result<NodePtr> {
    const Place at = cursor_.Peek().place;
    if (cursor_.TakeOperator("(")) {
      const Level level(&depth_);
      HW_TRY_VOID(CheckLevel());
      HW_TRY(NodePtr inner, Target(allow_attribute));
      HW_TRY_VOID(cursor_.NeedOperator(")"));
      return inner;
    }
    HW_TRY(std::string name, cursor_.NeedName());
    if (name == "true" || name == "false" || name == "none" || name == "True" || name == "False" ||
        name == "None") {
      return Fail(ErrorCode::kInvalidInput,
                  At(at) + "expected a name to assign to, found '" + name + "'");
    }
    if (!allow_attribute || !cursor_.TakeOperator("."))
      return NewNode(NodeKind::kName, at, std::move(name));
    NodePtr node = NewNode(NodeKind::kAttributeOf, at, std::move(name));
    HW_TRY(std::string attribute, cursor_.NeedName());
    node->names.push_back(std::move(attribute));
    return node;
  };
  HW_TRY(NodePtr first, one());
  if (!cursor_.IsOperator(",")) return first;
  NodePtr tuple = NewNode(NodeKind::kTuple, place);
  HW_TRY_VOID(AddChild(tuple.get(), std::move(first)));
  while (cursor_.TakeOperator(",")) {
    if (IsTupleEnd(cursor_) || cursor_.IsOperator("=")) break;
    HW_TRY(NodePtr next, one());
    HW_TRY_VOID(AddChild(tuple.get(), std::move(next)));
  }
  return tuple;
}

Result<NodePtr> ExpressionParser::Or() {
  HW_TRY(NodePtr left, And());
  while (cursor_.TakeName("or")) {
    HW_TRY(NodePtr right, And());
    HW_TRY(left, Binary(NodeKind::kOr, std::move(left), std::move(right), ""));
  }
  return left;
}

Result<NodePtr> ExpressionParser::And() {
  HW_TRY(NodePtr left, Not());
  while (cursor_.TakeName("and")) {
    HW_TRY(NodePtr right, Not());
    HW_TRY(left, Binary(NodeKind::kAnd, std::move(left), std::move(right), ""));
  }
  return left;
}

Result<NodePtr> ExpressionParser::Not() {
  const Place place = cursor_.Peek().place;
  if (!cursor_.TakeName("not")) return Comparison();
  const Level level(&depth_);
  HW_TRY_VOID(CheckLevel());
  NodePtr node = NewNode(NodeKind::kNot, place);
  HW_TRY(NodePtr child, Not());
  HW_TRY_VOID(AddChild(node.get(), std::move(child)));
  return node;
}

Result<NodePtr> ExpressionParser::Comparison() {
  HW_TRY(NodePtr first, Sum());
  NodePtr node;
  while (true) {
    std::string op;
    if (cursor_.Peek().kind == Token::Kind::kOperator) {
      for (const std::string_view candidate : {"==", "!=", "<=", ">=", "<", ">"}) {
        if (cursor_.IsOperator(candidate)) op = candidate;
      }
    } else if (cursor_.IsName("in")) {
      op = "in";
    } else if (cursor_.IsName("not") && cursor_.IsName("in", 1)) {
      cursor_.Next();
      op = "not in";
    }
    if (op.empty()) break;
    cursor_.Next();
    if (node == nullptr) {
      // NOLINTBEGIN(bugprone-use-after-move): once only
      node = NewNode(NodeKind::kCompare, first->place);
      HW_TRY_VOID(AddChild(node.get(), std::move(first)));
      // NOLINTEND(bugprone-use-after-move)
    }
    HW_TRY(NodePtr next, Sum());
    HW_TRY_VOID(AddChild(node.get(), std::move(next)));
    node->names.push_back(std::move(op));
  }
  return node == nullptr ? std::move(first) : std::move(node);
}

Result<NodePtr> ExpressionParser::Sum() {
  HW_TRY(NodePtr left, Concatenation());
  while (cursor_.IsOperator("+") || cursor_.IsOperator("-")) {
    std::string op = cursor_.Next().text;
    HW_TRY(NodePtr right, Concatenation());
    HW_TRY(left, Binary(NodeKind::kArithmetic, std::move(left), std::move(right), std::move(op)));
  }
  return left;
}

Result<NodePtr> ExpressionParser::Concatenation() {
  HW_TRY(NodePtr first, Product());
  if (!cursor_.IsOperator("~")) return first;
  NodePtr node = NewNode(NodeKind::kConcatenate, first->place);
  HW_TRY_VOID(AddChild(node.get(), std::move(first)));
  while (cursor_.TakeOperator("~")) {
    HW_TRY(NodePtr next, Product());
    HW_TRY_VOID(AddChild(node.get(), std::move(next)));
  }
  return node;
}

Result<NodePtr> ExpressionParser::Product() {
  HW_TRY(NodePtr left, Power());
  while (cursor_.IsOperator("*") || cursor_.IsOperator("/") || cursor_.IsOperator("//") ||
         cursor_.IsOperator("%")) {
    std::string op = cursor_.Next().text;
    HW_TRY(NodePtr right, Power());
    HW_TRY(left, Binary(NodeKind::kArithmetic, std::move(left), std::move(right), std::move(op)));
  }
  return left;
}

Result<NodePtr> ExpressionParser::Power() {
  HW_TRY(NodePtr left, Unary(true));
  while (cursor_.TakeOperator("**")) {
    HW_TRY(NodePtr right, Unary(true));
    HW_TRY(left, Binary(NodeKind::kArithmetic, std::move(left), std::move(right), "**"));
  }
  return left;
}

Result<NodePtr> ExpressionParser::Unary(bool with_filters) {
  const Level level(&depth_);
  HW_TRY_VOID(CheckLevel());
  const Place place = cursor_.Peek().place;
  NodePtr node;
  if (cursor_.IsOperator("-") || cursor_.IsOperator("+")) {
    const bool negates = cursor_.Next().text == "-";
    node = NewNode(negates ? NodeKind::kNegate : NodeKind::kPlus, place);
    HW_TRY(NodePtr child, Unary(false));
    HW_TRY_VOID(AddChild(node.get(), std::move(child)));
  } else {
    HW_TRY(node, Primary());
  }
  HW_TRY(node, Postfix(std::move(node)));
  if (!with_filters) return node;
  return FiltersAndTests(std::move(node));
}

Result<NodePtr> ExpressionParser::Primary() {
  const Place place = cursor_.Peek().place;
  switch (cursor_.Peek().kind) {
    case Token::Kind::kName: {
      std::string name = cursor_.Next().text;
      NodePtr node = NewNode(NodeKind::kConstant, place);
      if (name == "true" || name == "True") {
        node->value = Value::Of(true);
      } else if (name == "false" || name == "False") {
        node->value = Value::Of(false);
      } else if (name == "none" || name == "None") {
        node->value = Value::OfNone();
      } else {
        node->kind = NodeKind::kName;
        node->name = std::move(name);
      }
      return node;
    }
    case Token::Kind::kString:
    case Token::Kind::kInteger:
    case Token::Kind::kFloat:
      return Literal();
    case Token::Kind::kOperator:
      if (cursor_.IsOperator("(")) return Parenthesised();
      if (cursor_.IsOperator("[")) return ListLiteral();
      if (cursor_.IsOperator("{")) return DictLiteral();
      break;
    case Token::Kind::kData:
    case Token::Kind::kOutputBegin:
    case Token::Kind::kOutputEnd:
    case Token::Kind::kBlockBegin:
    case Token::Kind::kBlockEnd:
    case Token::Kind::kEnd:
      break;
  }
  return cursor_.Expected("an expression");
}

Result<NodePtr> ExpressionParser::Literal() {
  NodePtr node = NewNode(NodeKind::kConstant, cursor_.Peek().place);
  Token token = cursor_.Next();
  if (token.kind == Token::Kind::kInteger) {
    node->value = Value::Of(token.integer);
  } else if (token.kind == Token::Kind::kFloat) {
    node->value = Value::Of(token.real);
  } else {
    while (cursor_.Peek().kind == Token::Kind::kString) token.text += cursor_.Next().text;
    node->value = Value::Of(Text(std::move(token.text)));
  }
  return node;
}

Result<NodePtr> ExpressionParser::Parenthesised() {
  const Place place = cursor_.Next().place;
  if (cursor_.TakeOperator(")")) return NewNode(NodeKind::kTuple, place);
  HW_TRY(NodePtr node, ExpressionOrTuple(true));
  HW_TRY_VOID(cursor_.NeedOperator(")"));
  return node;
}

Result<NodePtr> ExpressionParser::ListLiteral() {
  NodePtr node = NewNode(NodeKind::kList, cursor_.Next().place);
  while (!cursor_.IsOperator("]")) {
    HW_TRY(NodePtr item, Expression());
    HW_TRY_VOID(AddChild(node.get(), std::move(item)));
    if (!cursor_.TakeOperator(",")) break;
  }
  HW_TRY_VOID(cursor_.NeedOperator("]"));
  return node;
}

Result<NodePtr> ExpressionParser::DictLiteral() {
  NodePtr node = NewNode(NodeKind::kDict, cursor_.Next().place);
  while (!cursor_.IsOperator("}")) {
    HW_TRY(NodePtr key, Expression());
    HW_TRY_VOID(cursor_.NeedOperator(":"));
    HW_TRY(NodePtr value, Expression());
    HW_TRY_VOID(AddChild(node.get(), std::move(key)));
    HW_TRY_VOID(AddChild(node.get(), std::move(value)));
    if (!cursor_.TakeOperator(",")) break;
  }
  HW_TRY_VOID(cursor_.NeedOperator("}"));
  return node;
}

Result<NodePtr> ExpressionParser::Call(NodePtr callee) {
  NodePtr call = NewNode(NodeKind::kCall, callee->place);
  HW_TRY_VOID(AddChild(call.get(), std::move(callee)));
  HW_TRY_VOID(CallArguments(call.get()));
  return call;
}

Result<NodePtr> ExpressionParser::Postfix(NodePtr node) {
  while (true) {
    if (cursor_.IsOperator(".")) {
      HW_TRY(node, Attribute(std::move(node)));
    } else if (cursor_.IsOperator("[")) {
      HW_TRY(node, Subscript(std::move(node)));
    } else if (cursor_.IsOperator("(")) {
      HW_TRY(node, Call(std::move(node)));
    } else {
      return node;
    }
  }
}

Result<NodePtr> ExpressionParser::FiltersAndTests(NodePtr node) {
  while (true) {
    if (cursor_.IsOperator("|")) {
      HW_TRY(node, Filters(std::move(node), true));
    } else if (cursor_.IsName("is")) {
      HW_TRY(node, Test(std::move(node)));
    } else if (cursor_.IsOperator("(")) {
      HW_TRY(node, Call(std::move(node)));
    } else {
      return node;
    }
  }
}

Result<NodePtr> ExpressionParser::Attribute(NodePtr node) {
  const Place place = cursor_.Next().place;
  if (cursor_.Peek().kind == Token::Kind::kInteger) {
    NodePtr item = NewNode(NodeKind::kItem, place);
    HW_TRY(NodePtr key, Literal());
    HW_TRY_VOID(AddChild(item.get(), std::move(node)));
    HW_TRY_VOID(AddChild(item.get(), std::move(key)));
    return item;
  }
  HW_TRY(std::string name, cursor_.NeedName());
  NodePtr attribute = NewNode(NodeKind::kAttribute, place, std::move(name));
  HW_TRY_VOID(AddChild(attribute.get(), std::move(node)));
  return attribute;
}

Result<NodePtr> ExpressionParser::Subscript(NodePtr node) {
  const Place place = cursor_.Next().place;
  NodePtr result = NewNode(NodeKind::kItem, place);
  HW_TRY_VOID(AddChild(result.get(), std::move(node)));
  NodePtr first;
  if (!cursor_.IsOperator(":")) {
    HW_TRY(first, Expression());
  }
  if (!cursor_.IsOperator(":")) {
    HW_TRY_VOID(AddChild(result.get(), std::move(first)));
    HW_TRY_VOID(cursor_.NeedOperator("]"));
    return result;
  }
  result->kind = NodeKind::kSlice;
  HW_TRY_VOID(AddChild(result.get(), std::move(first)));
  for (int i = 0; i < 2; ++i) {
    NodePtr part;
    if (cursor_.TakeOperator(":") && !cursor_.IsOperator(":") && !cursor_.IsOperator("]")) {
      HW_TRY(part, Expression());
    }
    HW_TRY_VOID(AddChild(result.get(), std::move(part)));
  }
  HW_TRY_VOID(cursor_.NeedOperator("]"));
  return result;
}

Result<NodePtr> ExpressionParser::Filters(NodePtr value, bool begins_with_bar) {
  while (!begins_with_bar || cursor_.TakeOperator("|")) {
    begins_with_bar = true;
    HW_TRY(value, Filter(std::move(value)));
  }
  return value;
}

Result<NodePtr> ExpressionParser::Filter(NodePtr value) {
  const Place place = cursor_.Peek().place;
  HW_TRY(std::string name, cursor_.NeedName());
  NodePtr node = NewNode(NodeKind::kFilter, place, std::move(name));
  HW_TRY_VOID(AddChild(node.get(), std::move(value)));
  if (cursor_.IsOperator("(")) HW_TRY_VOID(CallArguments(node.get()));
  return node;
}

// Without brackets a test takes one argument, if something follows that can begin one.
Result<NodePtr> ExpressionParser::Test(NodePtr value) {
  cursor_.Next();
  const Place place = cursor_.Peek().place;
  const bool negated = cursor_.TakeName("not");
  HW_TRY(std::string name, cursor_.NeedName());
  NodePtr node = NewNode(NodeKind::kTest, place, std::move(name));
  HW_TRY_VOID(AddChild(node.get(), std::move(value)));
  const Token::Kind next = cursor_.Peek().kind;
  const bool is_word = next == Token::Kind::kName && !cursor_.IsName("else") &&
                       !cursor_.IsName("or") && !cursor_.IsName("and");
  if (cursor_.IsOperator("(")) {
    HW_TRY_VOID(CallArguments(node.get()));
  } else if (is_word || next == Token::Kind::kString || next == Token::Kind::kInteger ||
             next == Token::Kind::kFloat || cursor_.IsOperator("[") || cursor_.IsOperator("{")) {
    if (cursor_.IsName("is")) return cursor_.Expected("no second test behind the first");
    HW_TRY(NodePtr argument, Primary());
    HW_TRY(argument, Postfix(std::move(argument)));
    HW_TRY_VOID(AddChild(node.get(), std::move(argument)));
  }
  if (!negated) return node;
  NodePtr inverse = NewNode(NodeKind::kNot, place);
  HW_TRY_VOID(AddChild(inverse.get(), std::move(node)));
  return inverse;
}

Result<void> ExpressionParser::CallArguments(Node* node) {
  HW_TRY_VOID(cursor_.NeedOperator("("));
  while (!cursor_.IsOperator(")")) {
    if (cursor_.IsOperator("*") || cursor_.IsOperator("**")) {
      return Fail(ErrorCode::kUnsupported, At(cursor_.Peek().place) +
                                               "expected an argument, found '*', which is not "
                                               "understood here");
    }
    const bool by_name =
        cursor_.Peek().kind == Token::Kind::kName && cursor_.Is(Token::Kind::kOperator, "=", 1);
    if (!by_name && !node->names.empty())
      return cursor_.Expected("an argument by name behind those by name");
    if (by_name) {
      node->names.push_back(cursor_.Next().text);
      cursor_.Next();
    }
    HW_TRY(NodePtr argument, Expression());
    HW_TRY_VOID(AddChild(node, std::move(argument)));
    if (!cursor_.TakeOperator(",")) break;
  }
  return cursor_.NeedOperator(")");
}

}  // namespace headway::jinja
