#pragma once

// The part of the parser that reads expressions.

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "jinja/token_cursor.h"

namespace headway::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(std::vector<Token> tokens) : cursor_(std::move(tokens)) {}

 protected:
  // Counts how deep the parser has gone into itself; declare one where it recurses.
  class Level {
   public:
    explicit Level(int* depth) : depth_(depth) { ++*depth_; }
    ~Level() { --*depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    int* depth_;
  };
  Result<void> CheckLevel() const;

  Result<NodePtr> Expression();
  // One or several separated by commas, which are a tuple then.
  Result<NodePtr> ExpressionOrTuple(bool allow_conditional);
  // What is assigned to: a name, names, a namespace's attribute.
  Result<NodePtr> Target(bool allow_attribute);
  // A chain of filters after `value`; `|` is expected before each, before the first when
  // `begins_with_bar`.
  Result<NodePtr> Filters(NodePtr value, bool begins_with_bar);

  TokenCursor cursor_;
  int depth_ = 0;

 private:
  Result<NodePtr> Or();
  Result<NodePtr> And();
  Result<NodePtr> Not();
  Result<NodePtr> Comparison();
  Result<NodePtr> Sum();
  Result<NodePtr> Concatenation();
  Result<NodePtr> Product();
  Result<NodePtr> Power();
  Result<NodePtr> Unary(bool with_filters);
  Result<NodePtr> Primary();
  Result<NodePtr> Literal();
  Result<NodePtr> Parenthesised();
  Result<NodePtr> ListLiteral();
  Result<NodePtr> DictLiteral();
  Result<NodePtr> Postfix(NodePtr node);
  Result<NodePtr> Call(NodePtr callee);
  Result<NodePtr> FiltersAndTests(NodePtr node);
  Result<NodePtr> Attribute(NodePtr node);
  Result<NodePtr> Subscript(NodePtr node);
  Result<NodePtr> Filter(NodePtr value);
  Result<NodePtr> Test(NodePtr value);
  Result<void> CallArguments(Node* node);
  Result<NodePtr> Binary(NodeKind kind, NodePtr left, NodePtr right, std::string name);
};

}  // namespace headway::jinja
