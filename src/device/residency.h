#pragma once

// Where the ops of a shard run, for the residency gate.

#include <optional>
#include <string>
#include <vector>

namespace headway {

// Where one op of a shard runs.
struct OpPlacement {
  std::string op;                          // "linear"
  std::string name;                        // "blk.0.ffn_down.weight Q8_0", or the value it makes
  std::string where;                       // "avx512", "neural engine"
  bool counts = false;                     // the residency gate is decided by it
  bool resident = false;                   // runs where the device wants it
  std::string reason;                      // when it is not resident
  std::vector<std::string> warnings = {};  // what may make it slow or wrong where it is
  // What leaves it open whether it runs there: a prediction by evidence on both sides.
  std::vector<std::string> doubts = {};
  // Where it was measured: where it had been predicted to run; empty: nothing was predicted of it.
  std::string predicted = {};
  std::optional<double> cost = std::nullopt;  // its share of the program's, as the device estimates
};

struct Residency {
  std::string basis = "measured";          // or "predicted": no such device here
  std::vector<OpPlacement> ops = {};       // every compute op of the shard, in order
  std::vector<std::string> warnings = {};  // of the shard as a whole
};

}  // namespace headway
