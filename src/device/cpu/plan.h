#pragma once

// Lowers a shard's graph to what the CPU executes: a list of phases with a barrier after each.
// Inside a phase the team shares the work (rows, tiles or heads); between phases everything written
// is visible. Buffers are offsets into one scratch area, reused when their values are dead.

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace headway::cpu {

// The most tokens of one step: wide enough that a prefill reads the weights once per 256 tokens (3
// % of its time on the Phi-4-mini shape), narrow enough that activations stay near the cache.
inline constexpr int64_t kMaxStepTokens = 256;

// Where a value's row of one token begins: a buffer and a channel offset inside its rows.
struct Place {
  enum class Base : uint8_t { kScratch, kInput, kOutput };
  Base base = Base::kScratch;
  int64_t offset_bytes = 0;  // into scratch
  // Floats from one token to the next; the output's comes with the step.
  int64_t stride_channels = 0;
  int64_t channel = 0;  // first channel
};

// Work on one token's row, by one thread.
struct RowOp {
  enum class Kind : uint8_t { kRmsNorm, kAdd, kGate, kScale, kQuantise };
  Kind kind = Kind::kAdd;
  Place x;
  Place y;  // second input
  // kQuantise: bytes into scratch; `channel` and `stride_channels` (all of them) place this op's
  // channels inside the quantised row.
  Place out;
  int64_t channels = 0;
  graph::WeightId gain = -1;  // kRmsNorm
  float eps = 0.0F;           // kRmsNorm
  int64_t group = 0;          // kRmsNorm: channels that are normalised together
  float factor = 1.0F;        // kScale
  graph::Activation activation = graph::Activation::kSilu;  // kGate
};

struct RowsPhase {
  std::vector<RowOp> ops;  // in order, token by token
};

// What a head does with the logits of a product where they are made.
enum class Selection : uint8_t {
  kNone,
  kTop1,      // `out` is the best one and its row, [T, 2]; the others are stored nowhere
  kBlockMax,  // the largest of each tile goes to StepArgs::block_maxima
};

struct LinearPart {
  graph::WeightId weight = -1;
  Place x;                       // float weights
  int64_t quantised_bytes = -1;  // scratch offset of the quantised activations; -1: float weights
  Place out;
  Selection selection = Selection::kNone;
  graph::WeightId bias = -1;  // added to each row's product
  float soft_cap = 0.0F;      // of the products; 0: none
};

struct LinearPhase {
  std::vector<LinearPart> parts;  // same input, independent of each other
};

struct AttentionPhase {
  graph::AttentionAttributes attention;
  graph::RotaryAttributes rotary;  // n_rot = 0: none
  int64_t cache_index = 0;         // layer counted inside the shard
  Place q, k, v, out;
  std::optional<RowOp> quantise;  // of out: done head by head, without a phase of its own
};

struct EmbeddingPhase {
  graph::WeightId table = -1;
};

using Phase = std::variant<RowsPhase, LinearPhase, AttentionPhase, EmbeddingPhase>;

struct Plan {
  std::vector<Phase> phases;
  int64_t scratch_bytes = 0;
  int64_t num_caches = 0;
  graph::WeightId matrix = -1;  // of the last linear or embedding: what ReadRow() reads

  // The product that ends the shard; null when it does not end in one product alone.
  const LinearPart* LastProduct() const;
};

// Errors: kUnsupported, naming the value that cannot be lowered (rotary outside attention, a slice
// or a bias as output, a bias or a selection of what is not the last product, an embedding with
// other ops: hosts read its rows without them).
Result<Plan> MakePlan(const graph::Graph& graph, int64_t max_tokens);

}  // namespace headway::cpu
