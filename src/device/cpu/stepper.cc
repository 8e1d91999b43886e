#include "device/cpu/stepper.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace headway::cpu {
namespace {

// Tokens of one attention call during a prefill.
constexpr int64_t kAttentionTokens = 16;
// Channels that one member takes at a time when a row is shared: a few microseconds of work.
constexpr int64_t kSharedChannels = 1024;
// Keys and values from here on become infinite in F16 (and count as no numbers in Q8_0, too); below
// the other limit a score of 512 channels stays finite.
constexpr float kF16Overflow = 65520.0F;
constexpr float kLargestQuery = 0x1p100F;

// NaN is not below anything.
bool AllBelow(const float* x, int64_t n, float limit) {
  int64_t others = 0;
  for (int64_t i = 0; i < n; ++i) others += std::fabs(x[i]) < limit ? 0 : 1;
  return others == 0;
}

// The op on `count` channels from `first` on.
RowOp Part(RowOp op, int64_t first, int64_t count) {
  op.channels = count;
  for (Place* place : {&op.x, &op.y, &op.out}) place->channel += first;
  return op;
}

auto GateKernel(const kernels::KernelSet& set, graph::Activation activation) {
  switch (activation) {
    case graph::Activation::kSilu:
      break;
    case graph::Activation::kGeluTanh:
      return set.geglu_tanh;
  }
  return set.swiglu;
}

}  // namespace

void Stepper::Run(size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) {
    const bool busy =
        std::visit([&](const auto& phase) { return Execute(phase, i); }, plan_.phases[i]);
    if (i + 1 == end) return;
    const auto* next = std::get_if<LinearPhase>(&plan_.phases[i + 1]);
    if (!busy && next != nullptr) Warm(*next);
    pool_->Barrier();
  }
}

float* Stepper::At(const Place& place, int64_t token) const {
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

// Fewer tokens than members: rows in which every channel stands for itself are shared by channels.
bool Stepper::SharedByChannels(const RowsPhase& phase) const {
  if (args_.num_tokens >= pool_->NumThreads()) return false;
  return std::all_of(phase.ops.begin(), phase.ops.end(), [&](const RowOp& op) {
    return op.kind != RowOp::Kind::kRmsNorm && op.channels == phase.ops[0].channels;
  });
}

bool Stepper::Execute(const RowsPhase& phase, size_t phase_index) {
  ChunkQueue& queue = workspace_->Queue(phase_index, 0);
  int64_t begin = 0;
  int64_t end = 0;
  bool busy = false;
  if (SharedByChannels(phase)) {
    const int64_t channels = phase.ops[0].channels;
    const int64_t parts = (channels + kSharedChannels - 1) / kSharedChannels;
    for (; queue.Take(args_.num_tokens * parts, 1, &begin, &end); busy = true) {
      const int64_t first = begin % parts * kSharedChannels;
      const int64_t count = std::min(kSharedChannels, channels - first);
      for (const RowOp& op : phase.ops) ExecuteRowOp(Part(op, first, count), begin / parts);
    }
    return busy;
  }
  const int64_t chunk = std::max<int64_t>(1, args_.num_tokens / (int64_t{4} * pool_->NumThreads()));
  for (; queue.Take(args_.num_tokens, chunk, &begin, &end); busy = true) {
    for (int64_t t = begin; t < end; ++t) {
      for (const RowOp& op : phase.ops) ExecuteRowOp(op, t);
    }
  }
  return busy;
}

void Stepper::ExecuteRowOp(const RowOp& op, int64_t t) {
  const float* x = At(op.x, t);
  const int64_t n = op.channels;
  switch (op.kind) {
    case RowOp::Kind::kRmsNorm: {
      const auto* gain = reinterpret_cast<const float*>(file_.WeightData(op.gain));
      float* out = At(op.out, t);
      for (int64_t c = 0; c < n; c += op.group)
        kernels_.rms_norm(x + c, gain, op.eps, op.group, out + c);
      break;
    }
    case RowOp::Kind::kAdd: {
      float* out = At(op.out, t);
      if (out != At(op.y, t)) std::memcpy(out, At(op.y, t), static_cast<size_t>(n) * sizeof(float));
      kernels_.add(x, n, out);
      break;
    }
    case RowOp::Kind::kGate:
      GateKernel(kernels_, op.activation)(x, At(op.y, t), n, At(op.out, t));
      break;
    case RowOp::Kind::kScale: {  // one product a channel: the same in every set
      float* out = At(op.out, t);
      for (int64_t c = 0; c < n; ++c) out[c] = x[c] * op.factor;
      break;
    }
    case RowOp::Kind::kQuantise:
      Quantise(op, t);
      break;
  }
}

// NaN and infinity have no 8-bit code: without the check they would come out as some number. As a
// NaN scale they reach every product of the token and with it the residual stream, where the
// session finds them.
void Stepper::Quantise(const RowOp& op, int64_t t) {
  const kernels::QuantisedRows all = Quantised(op.out.offset_bytes, op.out.stride_channels);
  // The token's group of eight, from the op's first channel on, as a matrix of its own.
  const int64_t token = t % kernels::QuantisedRows::kGroup;
  const kernels::QuantisedRows rows = {.blocks = all.Block(t - token, op.out.channel / 32),
                                       .num_tokens = all.GroupWidth(t),
                                       .num_channels = op.channels};
  const float* x = At(op.x, t);
  if (kernels_.all_finite(x, op.channels)) {
    kernels_.quantise_rows(x, 0, token, token + 1, rows);
    return;
  }
  for (int64_t b = 0; b < op.channels / 32; ++b) *rows.Block(token, b) = {};
  rows.Block(token, 0)->scale = std::numeric_limits<float>::quiet_NaN();
}

int64_t Stepper::NumBlocks(int64_t width) const {
  int64_t blocks = 0;
  for (const StepRow& row : args_.rows) blocks += (row.num_tokens + width - 1) / width;
  return blocks;
}

Stepper::RowPart Stepper::BlockOf(int64_t block, int64_t width) const {
  const StepRow* row = args_.rows.data();
  int64_t row_begin = 0;  // its first token
  for (;; row_begin += row->num_tokens, ++row) {
    const int64_t blocks = (row->num_tokens + width - 1) / width;
    if (block < blocks) break;
    block -= blocks;
  }
  const int64_t first = block * width;
  return {.row = row,
          .first_token = row_begin + first,
          .first_position = row->first_position + first,
          .num_tokens = std::min(width, row->num_tokens - first)};
}

// First every key and value of the step is stored, a head of a conversation by one member; then
// every query reads. Where each conversation has one token, a head's owner does both.
bool Stepper::Execute(const AttentionPhase& phase, size_t phase_index) {
  const int64_t kv_heads = phase.attention.num_kv_heads;
  const auto num_rows = static_cast<int64_t>(args_.rows.size());
  const bool single_tokens = args_.num_tokens == num_rows;
  int64_t begin = 0;
  int64_t end = 0;
  bool busy = false;
  for (; workspace_->Queue(phase_index, 0).Take(kv_heads * num_rows, 1, &begin, &end);
       busy = true) {
    const RowPart row = BlockOf(begin % num_rows, kMaxStepTokens);
    StoreHead(phase, begin / num_rows, row);
    if (single_tokens) Attend(phase, begin / num_rows, row);
  }
  if (single_tokens) return busy;
  pool_->Barrier();
  const int64_t blocks = NumBlocks(kAttentionTokens);
  for (; workspace_->Queue(phase_index, 1).Take(kv_heads * blocks, 1, &begin, &end); busy = true)
    Attend(phase, begin / blocks, BlockOf(begin % blocks, kAttentionTokens));
  return busy;
}

void Stepper::StoreHead(const AttentionPhase& phase, int64_t kv_head, const RowPart& part) {
  const graph::AttentionAttributes& a = phase.attention;
  const int64_t group = a.num_heads / a.num_kv_heads;
  const auto style =
      phase.rotary.pairs ? kernels::RotaryStyle::kPairs : kernels::RotaryStyle::kHalves;
  const KvCache& kv = static_cast<CpuShardState*>(part.row->state)->Kv();
  const kernels::KvHead head = kv.Head(phase, kv_head);
  for (int64_t i = 0; i < part.num_tokens; ++i) {
    const int64_t t = part.first_token + i;
    float* q = At(phase.q, t) + kv_head * group * a.head_dim;
    float* k = At(phase.k, t) + kv_head * a.head_dim;
    if (phase.rotary.n_rot > 0) {
      const int64_t row =
          phase.rotary.table * args_.rotary_table_stride + t * (phase.rotary.n_rot / 2);
      const float* cos = args_.rotary_cos + row;
      const float* sin = args_.rotary_sin + row;
      kernels_.rotary(style, cos, sin, phase.rotary.n_rot, a.head_dim, group, q);
      kernels_.rotary(style, cos, sin, phase.rotary.n_rot, a.head_dim, 1, k);
    }
    const float* v = At(phase.v, t) + kv_head * a.head_dim;
    const int64_t position = part.first_position + i;
    const int64_t in_tile = position % kernels::kKeyTile;
    std::byte* const values = head.ValueTile(position / kernels::kKeyTile);
    kernels_.store_kv[static_cast<size_t>(kv.Type())](
        k, v, a.head_dim, in_tile, head.KeyTile(position / kernels::kKeyTile), values);
    // The softmax may hide scores that are no numbers; values that are none show.
    if (!AllBelow(q, group * a.head_dim, kLargestQuery) || !AllBelow(k, a.head_dim, kF16Overflow) ||
        !AllBelow(v, a.head_dim, kF16Overflow)) {
      kernels::SpoilValues(kv.Type(), a.head_dim, in_tile, values);
    }
  }
}

void Stepper::Attend(const AttentionPhase& phase, int64_t kv_head, const RowPart& part) {
  const graph::AttentionAttributes& a = phase.attention;
  const int64_t group = a.num_heads / a.num_kv_heads;
  const KvCache& kv = static_cast<CpuShardState*>(part.row->state)->Kv();
  kernels_.attention[static_cast<size_t>(kv.Type())](
      {.q = At(phase.q, part.first_token) + kv_head * group * a.head_dim,
       .q_stride = StrideOf(phase.q),
       .kv = kv.Head(phase, kv_head),
       .num_tokens = part.num_tokens,
       .first_position = part.first_position,
       .num_heads = group,
       .head_dim = a.head_dim,
       .window = a.window,
       .scale = a.scale,
       .soft_cap = a.soft_cap,
       .scratch = workspace_->AttentionScratch(thread_index_),
       .out = At(phase.out, part.first_token) + kv_head * group * a.head_dim,
       .out_stride = StrideOf(phase.out)});
  if (!phase.quantise) return;
  const int64_t channels = group * a.head_dim;
  const RowOp op = Part(*phase.quantise, kv_head * channels, channels);
  for (int64_t i = 0; i < part.num_tokens; ++i) Quantise(op, part.first_token + i);
}

}  // namespace headway::cpu
