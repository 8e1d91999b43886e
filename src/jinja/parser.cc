#include "jinja/parser.h"

#include <fmt/format.h>

#include <array>
#include <initializer_list>
#include <utility>

#include "jinja/expression_parser.h"

namespace headway::jinja {
namespace {

class Parser : private ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Result<NodePtr> Run() {
    HW_TRY(NodePtr body, Body({}));
    return body;
  }

 private:
  bool AtEndTag(std::initializer_list<std::string_view> ends) const {
    for (const std::string_view end : ends) {
      if (cursor_.IsName(end, 1)) return true;
    }
    return false;
  }

  // Up to a tag named by one of `ends`, whose "{%" is taken and whose name comes next; to the end of
  // the template without any.
  Result<NodePtr> Body(std::initializer_list<std::string_view> ends) {
    const Level level(&depth_);
    HW_TRY_VOID(CheckLevel());
    NodePtr body = NewNode(NodeKind::kBody, cursor_.Peek().place);
    while (true) {
      const Place place = cursor_.Peek().place;
      NodePtr statement;
      switch (cursor_.Peek().kind) {
        case Token::Kind::kData:
          statement = NewNode(NodeKind::kText, place);
          statement->value = Value::Of(Text(cursor_.Next().text));
          break;
        case Token::Kind::kOutputBegin: {
          cursor_.Next();
          statement = NewNode(NodeKind::kOutput, place);
          HW_TRY(NodePtr value, ExpressionOrTuple(true));
          HW_TRY_VOID(AddChild(statement.get(), std::move(value)));
          HW_TRY_VOID(cursor_.Need(Token::Kind::kOutputEnd, "'}}'"));
          break;
        }
        case Token::Kind::kBlockBegin: {
          const bool at_end = AtEndTag(ends);
          cursor_.Next();
          if (at_end) return body;
          HW_TRY(statement, Statement());
          break;
        }
        case Token::Kind::kEnd: {
          if (ends.size() == 0) return body;
          return cursor_.Expected(fmt::format("'{}'", *(ends.end() - 1)));
        }
        case Token::Kind::kOutputEnd:
        case Token::Kind::kBlockEnd:
        case Token::Kind::kName:
        case Token::Kind::kString:
        case Token::Kind::kInteger:
        case Token::Kind::kFloat:
        case Token::Kind::kOperator:
          return cursor_.Expected("text or a tag");
      }
      if (statement != nullptr) HW_TRY_VOID(AddChild(body.get(), std::move(statement)));
    }
  }
  // The "%}" before a body, and the body.
  Result<NodePtr> BlockBody(std::initializer_list<std::string_view> ends) {
    cursor_.TakeOperator(":");
    HW_TRY_VOID(cursor_.Need(Token::Kind::kBlockEnd, "'%}'"));
    return Body(ends);
  }
  // The same up to one end tag, which is taken with its "%}".
  Result<NodePtr> WholeBody(std::string_view end) {
    HW_TRY(NodePtr body, BlockBody({end}));
    cursor_.Next();
    HW_TRY_VOID(EndTag());
    return body;
  }
  Result<void> EndTag() { return cursor_.Need(Token::Kind::kBlockEnd, "'%}'"); }

  Result<NodePtr> Statement() {
    const Token& name = cursor_.Peek();
    const Place place = name.place;
    if (name.kind != Token::Kind::kName) return cursor_.Expected("the name of a tag");
    if (name.text == "if") return If();
    if (name.text == "for") return For();
    if (name.text == "set") return Set();
    if (name.text == "macro") return Macro();
    if (name.text == "call") return CallBlock();
    if (name.text == "filter") return FilterBlock();
    if (name.text == "with") return With();
    if (name.text == "print") return Print();
    if (name.text == "generation") {  // marks what a model wrote; the text is the same
      cursor_.Next();
      return WholeBody("endgeneration");
    }
    if (name.text == "break" || name.text == "continue") {
      const bool breaks = cursor_.Next().text == "break";
      if (loops_ == 0) {
        return Fail(ErrorCode::kInvalidInput,
                    At(place) + "expected 'break' and 'continue' in a loop, found one outside");
      }
      HW_TRY_VOID(EndTag());
      return NewNode(breaks ? NodeKind::kBreak : NodeKind::kContinue, place);
    }
    for (const std::string_view known :
         {"extends", "include", "import", "from", "block", "autoescape", "do", "trans", "debug"}) {
      if (name.text != known) continue;
      return Fail(ErrorCode::kUnsupported,
                  At(place) + fmt::format("expected a tag that chat templates use, found '{}', "
                                          "which is not understood here",
                                          known));
    }
    return cursor_.Expected("the name of a tag");
  }

  Result<NodePtr> If() {
    NodePtr node = NewNode(NodeKind::kIf, cursor_.Next().place);
    while (true) {
      HW_TRY(NodePtr test, ExpressionOrTuple(false));
      HW_TRY_VOID(AddChild(node.get(), std::move(test)));
      HW_TRY(NodePtr body, BlockBody({"elif", "else", "endif"}));
      HW_TRY_VOID(AddChild(node.get(), std::move(body)));
      const std::string end = cursor_.Next().text;
      if (end == "elif") continue;
      if (end == "else") {
        HW_TRY(NodePtr otherwise, WholeBody("endif"));
        HW_TRY_VOID(AddChild(node.get(), std::move(otherwise)));
        return node;
      }
      HW_TRY_VOID(EndTag());
      return node;
    }
  }

  Result<NodePtr> For() {
    NodePtr node = NewNode(NodeKind::kFor, cursor_.Next().place);
    HW_TRY(NodePtr target, Target(false));
    HW_TRY_VOID(AddChild(node.get(), std::move(target)));
    if (!cursor_.TakeName("in")) return cursor_.Expected("'in'");
    HW_TRY(NodePtr over, ExpressionOrTuple(false));
    HW_TRY_VOID(AddChild(node.get(), std::move(over)));
    NodePtr condition;
    if (cursor_.TakeName("if")) {
      HW_TRY(condition, Expression());
    }
    HW_TRY_VOID(AddChild(node.get(), std::move(condition)));
    if (cursor_.IsName("recursive")) {
      return Fail(ErrorCode::kUnsupported, At(cursor_.Peek().place) +
                                               "expected an ordinary loop, found a recursive one, "
                                               "which is not understood here");
    }
    ++loops_;
    HW_TRY(NodePtr body, BlockBody({"else", "endfor"}));
    --loops_;
    HW_TRY_VOID(AddChild(node.get(), std::move(body)));
    NodePtr otherwise;
    if (cursor_.Next().text == "else") {
      HW_TRY(otherwise, WholeBody("endfor"));
    } else {
      HW_TRY_VOID(EndTag());
    }
    HW_TRY_VOID(AddChild(node.get(), std::move(otherwise)));
    return node;
  }

  Result<NodePtr> Set() {
    NodePtr node = NewNode(NodeKind::kSet, cursor_.Next().place);
    HW_TRY(NodePtr target, Target(true));
    HW_TRY_VOID(AddChild(node.get(), std::move(target)));
    if (cursor_.TakeOperator("=")) {
      HW_TRY(NodePtr value, ExpressionOrTuple(true));
      HW_TRY_VOID(AddChild(node.get(), std::move(value)));
      HW_TRY_VOID(EndTag());
      return node;
    }
    node->kind = NodeKind::kSetBlock;
    NodePtr filters;
    if (cursor_.IsOperator("|")) {
      HW_TRY(filters, Filters(NewNode(NodeKind::kHole, node->place), true));
    }
    HW_TRY(NodePtr body, WholeBody("endset"));
    HW_TRY_VOID(AddChild(node.get(), std::move(body)));
    HW_TRY_VOID(AddChild(node.get(), std::move(filters)));
    return node;
  }

  // "(a, b=1)": names to node->names; the defaults of the last ones.
  Result<std::vector<NodePtr>> Signature(Node* node) {
    std::vector<NodePtr> defaults;
    HW_TRY_VOID(cursor_.NeedOperator("("));
    while (!cursor_.IsOperator(")")) {
      HW_TRY(std::string name, cursor_.NeedName());
      node->names.push_back(std::move(name));
      if (cursor_.TakeOperator("=")) {
        HW_TRY(NodePtr value, Expression());
        defaults.push_back(std::move(value));
      } else if (!defaults.empty()) {
        return cursor_.Expected("a default, as the parameter before has one");
      }
      if (!cursor_.TakeOperator(",")) break;
    }
    HW_TRY_VOID(cursor_.NeedOperator(")"));
    return defaults;
  }

  // A body in which no loop around it can be left.
  Result<NodePtr> BodyOfItsOwn(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    HW_TRY(NodePtr body, WholeBody(end));
    loops_ = loops;
    return body;
  }

  Result<NodePtr> Macro() {
    NodePtr node = NewNode(NodeKind::kMacro, cursor_.Next().place);
    HW_TRY(node->name, cursor_.NeedName());
    HW_TRY(std::vector<NodePtr> defaults, Signature(node.get()));
    HW_TRY(NodePtr body, BodyOfItsOwn("endmacro"));
    HW_TRY_VOID(AddChild(node.get(), std::move(body)));
    for (NodePtr& value : defaults) HW_TRY_VOID(AddChild(node.get(), std::move(value)));
    return node;
  }

  Result<NodePtr> CallBlock() {
    NodePtr node = NewNode(NodeKind::kCallBlock, cursor_.Next().place);
    std::vector<NodePtr> defaults;
    if (cursor_.IsOperator("(")) {
      HW_TRY(defaults, Signature(node.get()));
    }
    HW_TRY(NodePtr call, Expression());
    if (call->kind != NodeKind::kCall) {
      return Fail(ErrorCode::kInvalidInput,
                  At(call->place) + "expected a call of a macro, found another expression");
    }
    HW_TRY(NodePtr body, BodyOfItsOwn("endcall"));
    HW_TRY_VOID(AddChild(node.get(), std::move(body)));
    HW_TRY_VOID(AddChild(node.get(), std::move(call)));
    for (NodePtr& value : defaults) HW_TRY_VOID(AddChild(node.get(), std::move(value)));
    return node;
  }

  Result<NodePtr> FilterBlock() {
    NodePtr node = NewNode(NodeKind::kFilterBlock, cursor_.Next().place);
    HW_TRY(NodePtr filters, Filters(NewNode(NodeKind::kHole, node->place), false));
    HW_TRY_VOID(AddChild(node.get(), std::move(filters)));
    HW_TRY(NodePtr body, WholeBody("endfilter"));
    HW_TRY_VOID(AddChild(node.get(), std::move(body)));
    return node;
  }

  Result<NodePtr> With() {
    NodePtr node = NewNode(NodeKind::kWith, cursor_.Next().place);
    std::vector<NodePtr> parts;
    while (cursor_.Peek().kind != Token::Kind::kBlockEnd) {
      if (!parts.empty()) HW_TRY_VOID(cursor_.NeedOperator(","));
      const Place place = cursor_.Peek().place;
      HW_TRY(std::string name, cursor_.NeedName());
      HW_TRY_VOID(cursor_.NeedOperator("="));
      HW_TRY(NodePtr value, Expression());
      parts.push_back(NewNode(NodeKind::kName, place, std::move(name)));
      parts.push_back(std::move(value));
    }
    HW_TRY(NodePtr body, WholeBody("endwith"));
    HW_TRY_VOID(AddChild(node.get(), std::move(body)));
    for (NodePtr& part : parts) HW_TRY_VOID(AddChild(node.get(), std::move(part)));
    return node;
  }

  Result<NodePtr> Print() {
    NodePtr body = NewNode(NodeKind::kBody, cursor_.Next().place);
    do {
      NodePtr output = NewNode(NodeKind::kOutput, cursor_.Peek().place);
      HW_TRY(NodePtr value, Expression());
      HW_TRY_VOID(AddChild(output.get(), std::move(value)));
      HW_TRY_VOID(AddChild(body.get(), std::move(output)));
    } while (cursor_.TakeOperator(","));
    HW_TRY_VOID(EndTag());
    return body;
  }

  int loops_ = 0;
};

}  // namespace

Result<NodePtr> ParseTemplate(std::string_view source) {
  HW_TRY(std::vector<Token> tokens, Tokenize(source));
  return Parser(std::move(tokens)).Run();
}

}  // namespace headway::jinja
