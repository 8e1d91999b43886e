#pragma once

// The best logit and its row for every token of a step, found by the members of a team tile by
// tile, while the logits are in their caches. Inside this folder only.

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/kernel_set.h"
#include "kernels/tile_layout.h"

namespace headway::cpu {

// A logit that is no finite number beats those that are, so that no overflow stays hidden.
struct BestRow {
  float logit = 0.0F;
  int64_t row = -1;  // -1: none seen
};

class BestRows {
 public:
  // Tiles whose logits a member computes at a time: long enough a stream of weights (0.8 MB of
  // Q8_0 at 3,072 channels), and for one token 1 KB of logits.
  static constexpr int64_t kTiles = 4;
  static constexpr int64_t kLogits = kTiles * kernels::kTileRows;  // of one token

  BestRows(int num_members, int64_t max_tokens);

  // Forgets what `member` has seen; before its first Offer() of a step.
  void Reset(int member, int64_t num_tokens);
  // Room for [max_tokens, kLogits] logits of `member`.
  float* Logits(int member) { return logits_.Pointer<float>() + member * max_tokens_ * kLogits; }
  // Logits of rows from first_row on of one token. Members do not wait for each other.
  void Offer(int member, int64_t token, std::span<const float> logits, int64_t first_row,
             const kernels::KernelSet& kernels);
  // The best of all that was offered since the resets, the same whoever saw it; the lowest row
  // among equals. When the team is done.
  BestRow Winner(int64_t token) const;

 private:
  BestRow& Of(int member, int64_t token) {
    return best_[static_cast<size_t>(member * max_tokens_ + token)];
  }

  const int num_members_;
  const int64_t max_tokens_;
  std::vector<BestRow> best_;  // [members, max_tokens]
  AlignedBuffer logits_;       // [members, max_tokens, kLogits]
};

}  // namespace headway::cpu
