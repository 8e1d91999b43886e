#pragma once

// A template as a tree. One kind of node for all: what its children and names are stands at its
// kind.

#include <memory>
#include <string>
#include <vector>

#include "jinja/lexer.h"
#include "jinja/value.h"

namespace headway::jinja {

enum class NodeKind {
  // Expressions
  kConstant,     // value
  kName,         // name
  kList,         // items
  kTuple,        // items
  kDict,         // key, value, key, value, ...
  kNot,          // one
  kNegate,       // one
  kPlus,         // one
  kAnd,          // two
  kOr,           // two
  kArithmetic,   // two; name: + - * / // % **
  kConcatenate,  // parts
  kCompare,      // first, then one for each of names: == != < <= > >= in "not in"
  kConditional,  // test, value, [otherwise]
  kAttribute,    // of; name
  kItem,         // of, key
  kSlice,        // of, begin, end, step; null where left out
  kCall,         // callee, arguments; the last names.size() of them by name
  kFilter,       // value, arguments likewise; name
  kTest,         // value, arguments likewise; name
  kHole,         // what a filter block or a filtered set puts in
  // Statements
  kBody,         // statements
  kText,         // value
  kOutput,       // expression
  kIf,           // test, body, test, body, ..., [body]
  kFor,          // target, over, condition or null, body, otherwise or null
  kSet,          // target, value
  kSetBlock,     // target, body, filters around a kHole or null
  kAttributeOf,  // a target: names[0] of the namespace called name
  kMacro,        // body, then defaults of the last parameters; names: parameters
  kCallBlock,    // body, call, then defaults likewise; names: parameters
  kFilterBlock,  // filters around a kHole, body
  kWith,         // body, target, value, target, value, ...
  kBreak,
  kContinue,
};

struct Node;
using NodePtr = std::unique_ptr<Node>;

struct Node {
  NodeKind kind = NodeKind::kConstant;
  Place place = {};
  std::string name = {};
  Value value = {};
  std::vector<NodePtr> children = {};
  std::vector<std::string> names = {};
  int height = 1;  // levels of the tree below, itself included
};

// Trees are at most this high, so that walking one may recurse.
inline constexpr int kHighestTree = 250;

}  // namespace headway::jinja
