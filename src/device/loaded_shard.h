#pragma once

// A loaded shard. Immutable; any number of conversations may run on it, each with its own state.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "device/capabilities.h"
#include "device/residency.h"
#include "device/step.h"

namespace headway {

// What a shard takes and gives: the runtime sizes its buffers from the manifest, so the two must
// agree.
struct ShardInterface {
  int64_t input_channels = 0;
  int64_t output_channels = 0;
  int64_t rotary_dim = 0;     // 0: the shard rotates nothing
  int64_t max_positions = 0;  // of its cache; 0: any
  // A head may give more or less than logits: the maximum of every block_rows of them (0: none; the
  // last block may be short), or, instead of them, the best logit and its row, the lowest among
  // equals: two outputs. A logit that is no finite number beats those that are.
  int64_t block_rows = 0;
  bool is_top1 = false;
  int64_t rotary_tables = 0;  // that a step must bring
  // With which it holds hidden states inside; what it takes and gives is free of it.
  float residual_scale = 1.0F;
  int64_t NumBlocks() const {
    return block_rows == 0 ? 0 : (output_channels + block_rows - 1) / block_rows;
  }
};

// What does not change while a shard is loaded.
struct ShardFacts {
  ShardInterface interface;
  int64_t scratch_bytes = 0;  // of the step buffers that Run() needs
  int64_t max_tokens = 1;     // of one Run()
  int64_t weight_bytes = 0;   // that one Run() reads
  bool stores_q8_kv = false;
};

class LoadedShard {
 public:
  virtual ~LoadedShard() = default;

  const ShardInterface& Interface() const { return facts_.interface; }
  int64_t ScratchBytes() const { return facts_.scratch_bytes; }
  int64_t MaxTokens() const { return facts_.max_tokens; }
  int64_t WeightBytes() const { return facts_.weight_bytes; }

  // For steps whose states have capacities of at most `capacity_tokens` (heads: 0). Null: needs
  // none.
  virtual std::unique_ptr<ShardWorkspace> NewWorkspace(
      [[maybe_unused]] int64_t capacity_tokens) const {
    return nullptr;
  }
  // Runs T tokens. Everything of ours was checked at load: what fails is the device. Then the output
  // is anything, and so are keys and values at the step's positions; a later step may run them
  // again. Errors: kIo, naming the file. Does not allocate where the
  // host's own kernels compute; what runs programs may.
  virtual Result<void> Run(const StepArgs& args) noexcept = 0;
  // Where each of its compute ops runs, and what serves it.
  virtual headway::Residency Residency() const = 0;
  // The first op that gave an infinity or a NaN in any run since loading, where no result need show
  // it; "" when none did. Nothing: the shard does not look at what is between its inputs and its
  // outputs.
  virtual std::optional<std::string> FirstNotFinite() const { return std::nullopt; }
  // Null: the shard's products cannot be taken apart.
  virtual const ProductProbe* Probe() const { return nullptr; }

 protected:
  explicit LoadedShard(const ShardFacts& facts) : facts_(facts) {}
  const ShardFacts facts_;
};

}  // namespace headway
