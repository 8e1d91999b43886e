#include "backend/cpu/executable.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "backend/cpu/shard_state.h"
#include "kernels/tiles.h"
#include "tensor/codec.h"

namespace headway::cpu {
namespace {

// A chunk of a weight stream that one thread takes at a time: long enough that the memory
// prefetchers run at full speed, short enough that two threads finish together.
constexpr int64_t kChunkBytes = int64_t{128} << 10;
// Tokens of one attention call during a prefill.
constexpr int64_t kAttentionTokens = 16;
// Keys and values from here on become infinite in F16; below the other limit a score of 512
// channels stays finite.
constexpr float kF16Overflow = 65520.0F;
constexpr float kLargestQuery = 0x1p100F;

// NaN is not below anything.
bool AllBelow(const float* x, int64_t n, float limit) {
  int64_t others = 0;
  for (int64_t i = 0; i < n; ++i) others += std::fabs(x[i]) < limit ? 0 : 1;
  return others == 0;
}

// One step on one member of the team.
class Stepper {
 public:
  Stepper(const ShardFile& file, const Plan& plan, const kernels::KernelSet& kernels,
          const StepArgs& args, CpuShardState* state, ThreadPool* pool, int thread_index)
      : file_(file),
        plan_(plan),
        kernels_(kernels),
        args_(args),
        state_(state),
        pool_(pool),
        thread_index_(thread_index) {}

  void Execute(const Phase& phase, size_t phase_index) {
    if (const auto* rows = std::get_if<RowsPhase>(&phase)) {
      ExecuteRows(*rows, phase_index);
    } else if (const auto* linear = std::get_if<LinearPhase>(&phase)) {
      ExecuteLinear(*linear, phase_index);
    } else if (const auto* attention = std::get_if<AttentionPhase>(&phase)) {
      ExecuteAttention(*attention, phase_index);
    }
  }

 private:
  float* At(const Place& place, int64_t token) const {
    switch (place.base) {
      case Place::Base::kInput:  // never written: only reads take this branch
        return const_cast<float*>(args_.input) + token * place.stride_channels + place.channel;
      case Place::Base::kOutput:
        return args_.output + token * args_.output_stride + place.channel;
      case Place::Base::kScratch:
        break;
    }
    return reinterpret_cast<float*>(args_.scratch + place.offset_bytes) +
           token * place.stride_channels + place.channel;
  }
  int64_t StrideOf(const Place& place) const {
    return place.base == Place::Base::kOutput ? args_.output_stride : place.stride_channels;
  }
  kernels::QuantisedRows Quantised(int64_t offset_bytes, int64_t channels) const {
    return {.blocks = reinterpret_cast<kernels::ActivationBlock*>(args_.scratch + offset_bytes),
            .num_tokens = args_.num_tokens,
            .num_channels = channels};
  }

  void ExecuteRows(const RowsPhase& phase, size_t phase_index) {
    int64_t begin = 0;
    int64_t end = 0;
    const int64_t chunk =
        std::max<int64_t>(1, args_.num_tokens / (int64_t{4} * pool_->NumThreads()));
    while (state_->Queue(phase_index, 0).Take(args_.num_tokens, chunk, &begin, &end)) {
      for (int64_t t = begin; t < end; ++t) {
        for (const RowOp& op : phase.ops) ExecuteRowOp(op, t);
      }
    }
  }

  void ExecuteRowOp(const RowOp& op, int64_t t) {
    const float* x = At(op.x, t);
    const int64_t n = op.channels;
    switch (op.kind) {
      case RowOp::Kind::kRmsNorm:
        kernels_.rms_norm(x, reinterpret_cast<const float*>(file_.WeightData(op.gain)), op.eps, n,
                          At(op.out, t));
        break;
      case RowOp::Kind::kAdd: {
        float* out = At(op.out, t);
        if (out != At(op.y, t))
          std::memcpy(out, At(op.y, t), static_cast<size_t>(n) * sizeof(float));
        kernels_.add(x, n, out);
        break;
      }
      case RowOp::Kind::kMul: {
        const float* y = At(op.y, t);
        float* out = At(op.out, t);
        for (int64_t c = 0; c < n; ++c) out[c] = x[c] * y[c];
        break;
      }
      case RowOp::Kind::kSilu: {
        float* out = At(op.out, t);
        // silu(x) = swiglu(x, 1); unfused graphs are for tests, speed does not matter.
        constexpr float kOne = 1.0F;
        for (int64_t c = 0; c < n; ++c) kernels_.swiglu(x + c, &kOne, 1, out + c);
        break;
      }
      case RowOp::Kind::kSwiGlu:
        kernels_.swiglu(x, At(op.y, t), n, At(op.out, t));
        break;
      case RowOp::Kind::kQuantise:
        Quantise(op, t);
        break;
    }
  }

  // NaN and infinity have no 8-bit code: without the check they would come out as some number. As a
  // NaN scale they reach every product of the token and with it the residual stream, where the
  // session finds them.
  void Quantise(const RowOp& op, int64_t t) {
    const kernels::QuantisedRows rows = Quantised(op.out.offset_bytes, op.channels);
    if (kernels_.all_finite(At(op.x, t), op.channels)) {
      kernels_.quantise_rows(At(op.x, 0), StrideOf(op.x), t, t + 1, rows);
      return;
    }
    for (int64_t b = 0; b < op.channels / 32; ++b) *rows.Block(t, b) = {};
    rows.Block(t, 0)->scale = std::numeric_limits<float>::quiet_NaN();
  }

  void ExecuteLinear(const LinearPhase& phase, size_t phase_index) {
    const bool is_matrix = phase.parts.size() == 1 && phase.parts[0].weight == plan_.matrix;
    if (is_matrix && !args_.needed_blocks.empty()) {
      ExecuteNeeded(phase.parts[0], phase_index);
      return;
    }
    int64_t total_tiles = 0;
    int64_t tile_bytes = 1;
    for (const LinearPart& part : phase.parts) {
      const graph::Weight& weight = file_.graph.weights[static_cast<size_t>(part.weight)];
      total_tiles += kernels::NumTiles(weight.shape[0]);
      tile_bytes = std::max(tile_bytes, kernels::TileBytes(weight.type, weight.shape.Columns()));
    }
    const int64_t fair =
        (total_tiles + int64_t{4} * pool_->NumThreads() - 1) / (int64_t{4} * pool_->NumThreads());
    const int64_t chunk =
        std::max<int64_t>(1, std::min(fair, (kChunkBytes + tile_bytes - 1) / tile_bytes));
    int64_t begin = 0;
    int64_t end = 0;
    while (state_->Queue(phase_index, 0).Take(total_tiles, chunk, &begin, &end)) {
      int64_t first = 0;  // tile of the phase at which the part begins
      for (const LinearPart& part : phase.parts) {
        const int64_t tiles =
            kernels::NumTiles(file_.graph.weights[static_cast<size_t>(part.weight)].shape[0]);
        const int64_t from = std::max(begin - first, int64_t{0});
        const int64_t to = std::min(end - first, tiles);
        if (from < to) Multiply(part, from, to);
        first += tiles;
      }
    }
  }

  // A block is a strip of a tile.
  void ExecuteNeeded(const LinearPart& part, size_t phase_index) {
    static_assert(kRowBlock == kernels::kStripRows);
    const auto total = static_cast<int64_t>(args_.needed_blocks.size());
    int64_t begin = 0;
    int64_t end = 0;
    while (state_->Queue(phase_index, 0).Take(total, 1, &begin, &end)) {
      const int64_t block = args_.needed_blocks[static_cast<size_t>(begin)];
      const int64_t tile = block / kernels::kTileStrips;
      const int64_t strip = block % kernels::kTileStrips;
      Multiply(part, tile, tile + 1, strip, strip + 1);
    }
  }

  void Multiply(const LinearPart& part, int64_t tile_begin, int64_t tile_end,
                int64_t strip_begin = 0, int64_t strip_end = kernels::kTileStrips) {
    const graph::Weight& weight = file_.graph.weights[static_cast<size_t>(part.weight)];
    kernels::MatMulArgs args{.tiles = file_.WeightData(part.weight),
                             .num_rows = weight.shape[0],
                             .num_channels = weight.shape.Columns(),
                             .tile_begin = tile_begin,
                             .tile_end = tile_end,
                             .strip_begin = strip_begin,
                             .strip_end = strip_end,
                             .num_tokens = args_.num_tokens,
                             .xq = {},
                             .x = At(part.x, 0),
                             .x_stride = StrideOf(part.x),
                             .y = At(part.out, 0),
                             .y_stride = StrideOf(part.out)};
    if (part.quantised_bytes >= 0) args.xq = Quantised(part.quantised_bytes, args.num_channels);
    kernels_.matmul[static_cast<size_t>(weight.type)](args);
  }

  // First every key and value of the step is stored, then every query reads; with one token a
  // head's owner does both.
  void ExecuteAttention(const AttentionPhase& phase, size_t phase_index) {
    const int64_t kv_heads = phase.attention.num_kv_heads;
    const bool one_token = args_.num_tokens == 1;
    int64_t begin = 0;
    int64_t end = 0;
    while (state_->Queue(phase_index, 0).Take(kv_heads, 1, &begin, &end)) {
      StoreHead(phase, begin);
      if (one_token) Attend(phase, begin, 0, 1);
    }
    if (one_token) return;
    pool_->Barrier();
    const int64_t blocks = (args_.num_tokens + kAttentionTokens - 1) / kAttentionTokens;
    while (state_->Queue(phase_index, 1).Take(kv_heads * blocks, 1, &begin, &end)) {
      const int64_t first = begin % blocks * kAttentionTokens;
      Attend(phase, begin / blocks, first, std::min(first + kAttentionTokens, args_.num_tokens));
    }
  }

  void StoreHead(const AttentionPhase& phase, int64_t kv_head) {
    const graph::AttentionAttributes& a = phase.attention;
    const int64_t group = a.num_heads / a.num_kv_heads;
    const auto style =
        phase.rotary.pairs ? kernels::RotaryStyle::kPairs : kernels::RotaryStyle::kHalves;
    for (int64_t t = 0; t < args_.num_tokens; ++t) {
      float* q = At(phase.q, t) + kv_head * group * a.head_dim;
      float* k = At(phase.k, t) + kv_head * a.head_dim;
      if (phase.rotary.n_rot > 0) {
        const float* cos = args_.rotary_cos + t * (phase.rotary.n_rot / 2);
        const float* sin = args_.rotary_sin + t * (phase.rotary.n_rot / 2);
        kernels_.rotary(style, cos, sin, phase.rotary.n_rot, a.head_dim, group, q);
        kernels_.rotary(style, cos, sin, phase.rotary.n_rot, a.head_dim, 1, k);
      }
      const float* v = At(phase.v, t) + kv_head * a.head_dim;
      const int64_t position = args_.first_position + t;
      F16* values = state_->Values(phase, kv_head);
      kernels_.store_kv(k, v, a.head_dim, position, state_->Keys(phase, kv_head), values);
      // The softmax may hide scores that are no numbers; values that are none show.
      if (!AllBelow(q, group * a.head_dim, kLargestQuery) ||
          !AllBelow(k, a.head_dim, kF16Overflow) || !AllBelow(v, a.head_dim, kF16Overflow)) {
        std::fill_n(values + position * a.head_dim, a.head_dim,
                    ToF16(std::numeric_limits<float>::quiet_NaN()));
      }
    }
  }

  void Attend(const AttentionPhase& phase, int64_t kv_head, int64_t token_begin,
              int64_t token_end) {
    const graph::AttentionAttributes& a = phase.attention;
    const int64_t group = a.num_heads / a.num_kv_heads;
    kernels_.attention({.q = At(phase.q, token_begin) + kv_head * group * a.head_dim,
                        .q_stride = StrideOf(phase.q),
                        .k = state_->Keys(phase, kv_head),
                        .v = state_->Values(phase, kv_head),
                        .num_tokens = token_end - token_begin,
                        .first_position = args_.first_position + token_begin,
                        .num_heads = group,
                        .head_dim = a.head_dim,
                        .window = a.window,
                        .scale = a.scale,
                        .scratch = state_->AttentionScratch(thread_index_),
                        .out = At(phase.out, token_begin) + kv_head * group * a.head_dim,
                        .out_stride = StrideOf(phase.out)});
  }

  const ShardFile& file_;
  const Plan& plan_;
  const kernels::KernelSet& kernels_;
  const StepArgs& args_;
  CpuShardState* const state_;
  ThreadPool* const pool_;
  const int thread_index_;
};

}  // namespace

CpuExecutable::CpuExecutable(ShardFile file, Plan plan, const kernels::SelectedKernels* kernels,
                             ThreadPool* pool)
    : file_(std::move(file)), plan_(std::move(plan)), kernels_(kernels), pool_(pool) {}

std::unique_ptr<ShardState> CpuExecutable::NewState(int64_t capacity_tokens) const {
  return std::make_unique<CpuShardState>(plan_, capacity_tokens, pool_->NumThreads());
}

void CpuExecutable::Run(const StepArgs& args, ShardState* state) noexcept {
  RunPhases(args, state, plan_.phases.size());
}

void CpuExecutable::RunPhases(const StepArgs& args, ShardState* state, size_t num_phases) noexcept {
  auto* cpu_state = static_cast<CpuShardState*>(state);
  cpu_state->ResetQueues();
  pool_->Run([&](int thread_index) {
    Stepper stepper(file_, plan_, kernels_->kernels, args, cpu_state, pool_, thread_index);
    for (size_t i = 0; i < num_phases; ++i) {
      if (i > 0) pool_->Barrier();
      stepper.Execute(plan_.phases[i], i);
    }
  });
}

void CpuExecutable::ReadRow(int64_t row, float* out) const {
  const graph::Weight& weight = file_.graph.weights[static_cast<size_t>(plan_.matrix)];
  const int64_t columns = weight.shape.Columns();
  const std::byte* data = file_.WeightData(plan_.matrix);
  if (file_.stored.weights[static_cast<size_t>(plan_.matrix)].layout == Layout::kTile16) {
    const std::byte* tile =
        data + row / kernels::kTileRows * kernels::TileBytes(weight.type, columns);
    kernels::UnpackTileRow(weight.type, tile, row % kernels::kTileRows, columns, out);
  } else {
    DequantiseRow(weight.type, data + row * RowBytes(weight.type, columns), columns, out);
  }
}

ShardInterface CpuExecutable::Interface() const {
  const graph::Value& input = file_.graph.values[static_cast<size_t>(file_.graph.inputs[0])];
  const graph::Value& output = file_.graph.values[static_cast<size_t>(file_.graph.outputs[0])];
  ShardInterface result;
  result.input_channels = input.is_ids ? 0 : input.channels;
  result.output_channels = output.channels;
  result.matrix_rows = file_.graph.weights[static_cast<size_t>(plan_.matrix)].shape[0];
  for (const Phase& phase : plan_.phases) {
    const auto* attention = std::get_if<AttentionPhase>(&phase);
    if (attention == nullptr) continue;
    result.rotary_dim = std::max(result.rotary_dim, attention->rotary.n_rot);
  }
  return result;
}

int64_t CpuExecutable::WeightBytes() const {
  return static_cast<int64_t>(file_.stored.total_bytes);
}

}  // namespace headway::cpu
