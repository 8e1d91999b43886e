#pragma once

// A grammar as a pushdown automaton over bytes: one finite automaton a rule, and calls between
// them. Code points are spelled as UTF-8, so that a token may end in the middle of one. Immutable.

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "grammar/expression.h"

namespace headway::grammar {

class ShortestEnds;

class Automaton {
 public:
  struct Edge {
    uint8_t first;
    uint8_t last;
    int32_t target;
  };
  struct Call {
    int32_t start;      // of the rule's automaton
    int32_t return_to;  // where to go on after it
    bool is_last;       // nothing is left to match after it: no need to come back
  };
  struct State {
    std::vector<Edge> edges;     // consume a byte
    std::vector<int32_t> jumps;  // consume nothing
    std::vector<Call> calls;     // consume what the rule consumes
    bool ends_rule = false;
  };

  // About 100 bytes a state.
  static constexpr size_t kMostStates = 500000;

  // The text is what `root` matches. Errors: kInvalidInput (an undefined rule, no rule "root"),
  // kUnsupported (left recursion, too large once repetitions are written out); each names the rule.
  static Result<Automaton> Build(const Rules& rules, const std::string& root = "root",
                                 size_t most_states = kMostStates);

  int32_t Start() const { return start_; }
  const State& At(int32_t state) const { return states_[static_cast<size_t>(state)]; }
  int64_t NumStates() const { return static_cast<int64_t>(states_.size()); }
  // Bytes that no edge tells apart are one class.
  int32_t ByteClass(uint8_t byte) const { return byte_class_[byte]; }
  int32_t NumByteClasses() const { return num_byte_classes_; }
  // Made at first use; any thread.
  const ShortestEnds& Ends() const;

 private:
  friend class AutomatonBuilder;
  Automaton() = default;

  std::vector<State> states_;
  int32_t start_ = 0;
  std::array<int32_t, 256> byte_class_{};
  int32_t num_byte_classes_ = 0;
  struct LazyEnds {
    std::once_flag once;
    std::shared_ptr<const ShortestEnds> made;
  };
  std::shared_ptr<LazyEnds> ends_ = std::make_shared<LazyEnds>();
};

}  // namespace headway::grammar
