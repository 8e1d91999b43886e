#pragma once

// What the two halves of the evaluator share.

#include <fmt/format.h>

#include <utility>

#include "jinja/evaluator.h"

namespace headway::jinja {

class Evaluator::Level {
 public:
  explicit Level(int* depth) : depth_(depth) { ++*depth_; }
  ~Level() { --*depth_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

 private:
  int* depth_;
};

template <class T>
Result<T> Evaluator::Located(const Node& node, Result<T> outcome) {
  if (outcome) return outcome;
  return Fail(outcome.error().code, At(node.place) + outcome.error().message);
}

// Sets a member for as long as it lives.
template <class T>
class Restored {
 public:
  Restored(T* place, T value) : place_(place), before_(std::exchange(*place, std::move(value))) {}
  ~Restored() { *place_ = std::move(before_); }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

 private:
  T* place_;
  T before_;
};

}  // namespace headway::jinja
