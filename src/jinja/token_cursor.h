#pragma once

// Where a parser stands in the words of a template, and the nodes it makes.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "jinja/syntax.h"

namespace headway::jinja {

class TokenCursor {
 public:
  explicit TokenCursor(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& Peek(size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  Token Next() { return at_ + 1 < tokens_.size() ? std::move(tokens_[at_++]) : tokens_.back(); }
  bool Is(Token::Kind kind, std::string_view text, size_t ahead = 0) const {
    return Peek(ahead).kind == kind && Peek(ahead).text == text;
  }
  bool IsOperator(std::string_view text) const { return Is(Token::Kind::kOperator, text); }
  bool IsName(std::string_view text, size_t ahead = 0) const {
    return Is(Token::Kind::kName, text, ahead);
  }
  bool TakeOperator(std::string_view text) { return IsOperator(text) && (Next(), true); }
  bool TakeName(std::string_view text) { return IsName(text) && (Next(), true); }

  tl::unexpected<Error> Expected(const std::string& what) const {
    return Fail(ErrorCode::kInvalidInput,
                At(Peek().place) + "expected " + what + ", found " + Described(Peek()));
  }
  Result<void> NeedOperator(std::string_view text) {
    if (TakeOperator(text)) return {};
    return Expected("'" + std::string(text) + "'");
  }
  Result<void> Need(Token::Kind kind, const std::string& what) {
    if (Peek().kind != kind) return Expected(what);
    Next();
    return {};
  }
  Result<std::string> NeedName() {
    if (Peek().kind != Token::Kind::kName) return Expected("a name");
    return Next().text;
  }

 private:
  std::vector<Token> tokens_;
  size_t at_ = 0;
};

inline NodePtr NewNode(NodeKind kind, Place place, std::string name = {}) {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  node->place = place;
  node->name = std::move(name);
  return node;
}

// Null children are places left out. Errors: kInvalidInput when the tree grows too high.
inline Result<void> AddChild(Node* parent, NodePtr child) {
  if (child != nullptr) parent->height = std::max(parent->height, child->height + 1);
  parent->children.push_back(std::move(child));
  if (parent->height <= kHighestTree) return {};
  return Fail(ErrorCode::kInvalidInput, At(parent->place) +
                                            "expected expressions and blocks of at most " +
                                            std::to_string(kHighestTree) + " levels, found more");
}

}  // namespace headway::jinja
