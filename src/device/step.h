#pragma once

// One step through a loaded shard: what it is given, what it keeps of a conversation, and what it
// needs while it runs.

#include <cstddef>
#include <cstdint>
#include <span>

#include "headway/kv_type.h"

namespace headway {

inline constexpr int64_t kRowBlock = 16;

// What a conversation wants of its state of a shard.
struct StateOptions {
  int64_t capacity_tokens = 1;  // the longest sequence
  KvType kv = KvType::kF16;     // LoadedLayerShard::CanStore(kv)
};

// The keys and values that one shard keeps of one conversation. Made by the shard, used with it
// alone, by one step at a time.
class ShardState {
 public:
  virtual ~ShardState() = default;
  // Memory reserved for keys and values.
  virtual int64_t KvBytes() const = 0;
  // Becomes the first `num_positions` positions of `other`, a state of the same shard that stores
  // keys and values in the same form; memory may be shared until one of the two changes it.
  virtual void ShareFrom(const ShardState& other, int64_t num_positions) = 0;
  // Positions from `num_positions` on are not needed any more: their memory may be given back.
  virtual void KeepPositions([[maybe_unused]] int64_t num_positions) {}
  // For benchmarks of long contexts: keys and values of positions below `num_positions` that were
  // not stored become some number, in memory that is there, as if tokens had been run.
  virtual void FillCache([[maybe_unused]] int64_t num_positions) {}
};

// What steps through one shard need besides, whatever the conversations: work queues, results of
// single threads. Made by the shard, used with it alone, by one step at a time.
class ShardWorkspace {
 public:
  virtual ~ShardWorkspace() = default;
};

// One conversation's part of a step: consecutive tokens.
struct StepRow {
  ShardState* state = nullptr;  // of this conversation alone; no two rows of a step share one
  int64_t first_position = 0;   // of the first token; the state holds everything before it
  int64_t num_tokens = 0;       // at least 1
};

// One step through a shard: T tokens, of one conversation or of several. What a token gets does not
// depend, not in one bit, on the other conversations of the step.
struct StepArgs {
  int64_t num_tokens = 0;  // T, 1 to LoadedShard::MaxTokens()
  // Layers: whose tokens they are, in order; together T. Heads look at none.
  std::span<const StepRow> rows = {};
  const float* input = nullptr;  // [T, D]
  float* output = nullptr;       // [T, N], rows output_stride floats apart
  int64_t output_stride = 0;
  // Tables [T, rotary_dim / 2], attention factor included, each token's by its own position: as many
  // as the model has, rotary_table_stride floats from one to the next.
  const float* rotary_cos = nullptr;
  const float* rotary_sin = nullptr;
  int64_t rotary_table_stride = 0;
  // [T, ShardInterface::NumBlocks()], where there are blocks; null: not wanted.
  float* block_maxima = nullptr;
  int64_t maxima_stride = 0;
  // LoadedShard::ScratchBytes() bytes, 64-byte aligned; may be shared by shards that run in turn.
  std::byte* scratch = nullptr;
  ShardWorkspace* workspace = nullptr;  // of this shard
  // Head shards: the blocks of kRowBlock rows whose logits are needed, ascending; empty: all.
  // Others may be computed, too.
  std::span<const int32_t> needed_blocks = {};
};

}  // namespace headway
