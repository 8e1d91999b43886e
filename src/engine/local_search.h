#pragma once

// The search over the rows of a certified head that are in this process: all of a head, or the part
// of one that this host has (docs/distributed.md).

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/thread_pool.h"
#include "engine/head_rows.h"
#include "engine/pipeline.h"
#include "kernels/kernel_set.h"
#include "lmhead/row_search.h"
#include "lmhead/search.h"

namespace headway {

class LocalSearch final : public lmhead::RowSearch {
 public:
  // For up to `max_states` states. `head` holds planes, and all shards or some that adjoin; it and
  // `pool` must outlive this object. Errors: kIo (no randomness from the system).
  static Result<std::unique_ptr<LocalSearch>> Create(const LoadedHead* head,
                                                     const ModelConfig& model, ThreadPool* pool,
                                                     const kernels::KernelSet& kernels,
                                                     int64_t max_states);
  LocalSearch(const LocalSearch&) = delete;  // its parts point at each other
  LocalSearch& operator=(const LocalSearch&) = delete;

  int64_t MaxStates() const override { return inputs_.MaxStates(); }
  Result<void> Begin(const float* hidden, int64_t num_states,
                     std::span<const lmhead::ScreenDemand> demands) override;
  lmhead::SearchEvidence Decide(int64_t state, const lmhead::SearchGoal& goal) noexcept override {
    return search_.Decide(state, goal);
  }
  lmhead::SearchEvidence BoundRest(float best, double room) noexcept override {
    return search_.BoundRest(best, room);
  }
  double MassOfRest(float best) noexcept override { return search_.MassOfRest(best); }
  lmhead::SearchEvidence Evaluate(int64_t state, std::span<const int32_t> rows) noexcept override {
    return search_.Evaluate(state, rows);
  }
  std::span<const lmhead::Candidate> Found() const override { return search_.Found(); }
  int64_t ScreenBytes() const override { return search_.ScreenBytes(); }
  bool IsFew(int64_t num_rows) const override { return search_.IsFew(num_rows); }

 private:
  LocalSearch(const LoadedHead* head, const ModelConfig& model, ThreadPool* pool,
              const kernels::KernelSet& kernels, int64_t max_states, uint64_t noise_key);

  ProductInputs inputs_;
  HeadRows rows_;
  HeadSigns signs_;
  lmhead::Search search_;
};

}  // namespace headway
