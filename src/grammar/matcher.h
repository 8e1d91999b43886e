#pragma once

// Runs an automaton over bytes. All ways to read the text so far are followed at once: a set of
// (state, stack). Sets are numbered when they are first met and their transitions remembered, so
// that most steps are one look into a table. Not thread-safe.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grammar/automaton.h"

namespace headway::grammar {

class Matcher {
 public:
  // A set of (state, stack), by number; valid until Forget().
  using Position = int32_t;
  static constexpr Position kDead = -1;  // no way to read the text

  explicit Matcher(std::shared_ptr<const Automaton> automaton);

  Position Start();
  // The position after one more byte.
  Position Next(Position position, uint8_t byte) {
    const int32_t known = transitions_[Cell(position, byte)];
    return known != kUnknown ? known : Compute(position, byte);
  }
  // True when the text so far is complete.
  bool CanEnd(Position position) const { return sets_[static_cast<size_t>(position)]->can_end; }
  // True when no byte can follow.
  bool IsFinal(Position position) const {
    return sets_[static_cast<size_t>(position)]->configurations.empty();
  }
  // True when some position had so many ways to be read that they were given up: it counts as dead.
  bool TooAmbiguous() const { return too_ambiguous_; }

  // One way to read the text so far: a state that consumes bytes, and what comes after its rule.
  struct Configuration {
    int32_t state;
    int32_t stack;
    bool operator<(const Configuration& other) const {
      return state != other.state ? state < other.state : stack < other.stack;
    }
    bool operator==(const Configuration& other) const {
      return state == other.state && stack == other.stack;
    }
  };
  struct Frame {
    int32_t return_to;
    int32_t below;  // stack, with a lower number
  };
  static constexpr int32_t kEmptyStack = 0;
  // All ways of a position; valid until the next call that makes one.
  std::span<const Configuration> Ways(Position position) const {
    return sets_[static_cast<size_t>(position)]->configurations;
  }
  // The top of a stack that is not empty.
  Frame FrameOf(int32_t stack) const { return frames_[static_cast<size_t>(stack)]; }

  int64_t NumPositions() const { return static_cast<int64_t>(sets_.size()); }
  // Forgets all positions but `keep`, and returns that one's new number.
  Position Forget(Position keep);

 private:
  static constexpr int32_t kUnknown = -2;

  struct Set {
    std::vector<Configuration> configurations;  // of states that consume bytes; sorted
    bool can_end = false;
    bool operator<(const Set& other) const {
      if (can_end != other.can_end) return can_end < other.can_end;
      return configurations < other.configurations;
    }
  };

  // Where the transition of `byte` from `position` is kept.
  size_t Cell(Position position, uint8_t byte) const {
    return static_cast<size_t>(position) * static_cast<size_t>(num_classes_) +
           static_cast<size_t>(automaton_->ByteClass(byte));
  }
  Position Compute(Position position, uint8_t byte);
  int32_t Push(int32_t return_to, int32_t below);
  // Follows jumps, calls and returns from work_ and numbers the set that they lead to.
  Position Close();
  Position Number(Set set);

  const std::shared_ptr<const Automaton> automaton_;
  const int32_t num_classes_;
  std::vector<int32_t> transitions_;  // [positions, byte classes]
  std::map<Set, Position> numbers_;
  std::vector<const Set*> sets_;  // keys of numbers_
  std::vector<Frame> frames_;     // stacks as linked lists; equal stacks are one
  std::unordered_map<uint64_t, int32_t> frame_numbers_;
  std::vector<Configuration> work_;
  std::unordered_map<uint64_t, bool> seen_;
  bool too_ambiguous_ = false;
};

}  // namespace headway::grammar
