#pragma once

// The rows that a reduced head computes before it looks at any other: a shard of their own.

#include <cstdint>
#include <memory>
#include <span>

#include "base/aligned_buffer.h"
#include "device/loaded_head_shard.h"
#include "engine/head.h"
#include "engine/pipeline.h"
#include "headway/counters.h"

namespace headway {

class ReducedRows {
 public:
  // Of up to `max_states` states. `pipeline` must outlive this object; other heads than reduced
  // ones have no such rows.
  ReducedRows(Pipeline* pipeline, int64_t max_states);

  bool Exist() const { return shard_ != nullptr; }

  // Computes them for all states of `step`; nothing where there are none.
  void Compute(const HeadStep& step, Counters* counters);

  // Ascending, and their logits of the last step.
  std::span<const int32_t> Ids() const { return ids_; }
  std::span<const float> Logits(int64_t state) const {
    return {logits_.Pointer<float>() + static_cast<size_t>(state) * ids_.size(), ids_.size()};
  }

 private:
  LoadedHeadShard* const shard_;  // null: none
  const std::span<const int32_t> ids_;
  std::unique_ptr<ShardWorkspace> workspace_;
  AlignedBuffer scratch_;
  AlignedBuffer logits_;  // [max_states, ids]
};

}  // namespace headway
