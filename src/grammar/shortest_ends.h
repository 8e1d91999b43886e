#pragma once

// The shortest way from a state of an automaton to the end of its rule, for texts that must end
// soon. Immutable; as long as the automaton it was made of lives.

#include <cstdint>
#include <limits>
#include <vector>

#include "grammar/automaton.h"

namespace headway::grammar {

class ShortestEnds {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int32_t>::max();

  explicit ShortestEnds(const Automaton& automaton);

  // Bytes from `state` to the end of its rule, calls included; kNever where there is no way.
  int64_t BytesFrom(int32_t state) const { return bytes_[static_cast<size_t>(state)]; }

  // The first step of such a way.
  enum class Step : uint8_t { kNone, kEnd, kByte, kJump, kCall };
  struct Move {
    Step step = Step::kNone;
    int32_t index = 0;  // of the state's edges, jumps or calls
  };
  Move MoveFrom(int32_t state) const { return moves_[static_cast<size_t>(state)]; }

 private:
  std::vector<int32_t> bytes_;
  std::vector<Move> moves_;
};

}  // namespace headway::grammar
