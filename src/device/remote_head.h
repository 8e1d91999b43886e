#pragma once

// A head whose shards run in other processes: what is better asked of all of them at once than of
// one shard after the other.

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "lmhead/row_search.h"

namespace headway {

// What is looked for: the largest logit, or the largest perturbed one (docs/arithmetic.md,
// "Selection").
struct BestQuery {
  bool perturbed = false;
  float inverse_temperature = 1.0F;
  uint64_t seed = 0;
  uint64_t position = 0;
};

// The winner among all rows, the lowest id among equals.
struct BestOfHead {
  float value = 0.0F;
  float logit = 0.0F;
  int32_t id = -1;
  int32_t wrong_id = -1;  // the first row whose logit is not finite; -1: there is none
  float wrong_logit = 0.0F;
};

class RemoteHead {
 public:
  virtual ~RemoteHead() = default;
  // For states [queries, D] before the head's norm, at most RunHead()'s; `best`: one a state.
  // Errors: those of LoadedShard::Run().
  virtual Result<void> FindBest(const float* hidden, std::span<const BestQuery> queries,
                                std::span<BestOfHead> best) noexcept = 0;
  // A search by the processes, each over its own rows. It must not outlive the head, which has
  // planes.
  virtual std::unique_ptr<lmhead::RowSearch> NewSearch(int64_t max_states) = 0;
};

}  // namespace headway
