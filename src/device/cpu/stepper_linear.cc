// The products of a step: tiles dealt out to the team, and what heads select where logits are made.

#include <algorithm>

#include "device/cpu/stepper.h"

namespace headway::cpu {
namespace {

// Weights that a member without work reads ahead: a fifth of a core's second-level cache, as long
// as others normalise a row.
constexpr int64_t kWarmBytes = int64_t{192} << 10;

}  // namespace

int64_t Stepper::TotalTiles(const LinearPhase& phase) const {
  int64_t total = 0;
  for (const LinearPart& part : phase.parts) total += kernels::NumTiles(RowsOf(part));
  return total;
}

Stepper::PartTiles Stepper::PartAt(const LinearPhase& phase, int64_t begin, int64_t end) const {
  const LinearPart* part = phase.parts.data();
  int64_t tiles = kernels::NumTiles(RowsOf(*part));
  for (; begin >= tiles; tiles = kernels::NumTiles(RowsOf(*part))) {
    begin -= tiles;
    end -= tiles;
    ++part;
  }
  return {.part = part, .begin = begin, .end = std::min(end, tiles)};
}

bool Stepper::Execute(const LinearPhase& phase, size_t phase_index) {
  const bool is_matrix = phase.parts.size() == 1 && phase.parts[0].weight == plan_.matrix;
  const bool is_top1 = phase.parts[0].selection == Selection::kTop1;
  if (is_matrix && !is_top1 && !args_.needed_blocks.empty())
    return ExecuteNeeded(phase.parts[0], phase_index);
  if (is_top1) workspace_->Best()->Reset(thread_index_, args_.num_tokens);
  const int64_t total = TotalTiles(phase);
  int64_t begin = 0;
  int64_t end = 0;
  bool busy = false;
  for (; workspace_->Tiles(phase_index).Take(thread_index_, total, &begin, &end); busy = true) {
    while (begin < end) {
      const auto [part, from, to] = PartAt(phase, begin, end);
      begin += to - from;
      if (is_top1) {
        MultiplyForBest(*part, from, to);
        continue;
      }
      Multiply(*part, from, to);
      if (part->selection == Selection::kBlockMax) StoreMaxima(*part, from, to);
    }
  }
  return busy;
}

// A block is a strip of a tile.
bool Stepper::ExecuteNeeded(const LinearPart& part, size_t phase_index) {
  static_assert(kRowBlock == kernels::kStripRows);
  const auto total = static_cast<int64_t>(args_.needed_blocks.size());
  int64_t begin = 0;
  int64_t end = 0;
  bool busy = false;
  for (; workspace_->Queue(phase_index, 0).Take(total, 1, &begin, &end); busy = true) {
    const int64_t block = args_.needed_blocks[static_cast<size_t>(begin)];
    const int64_t tile = block / kernels::kTileStrips;
    const int64_t strip = block % kernels::kTileStrips;
    Multiply(part, tile, tile + 1, strip, strip + 1);
  }
  return busy;
}

kernels::MatMulArgs Stepper::ProductOf(const LinearPart& part) const {
  const graph::Weight& weight = Weight(part);
  kernels::MatMulArgs args{.tiles = file_.WeightData(part.weight),
                           .num_rows = weight.shape[0],
                           .num_channels = weight.shape.Columns(),
                           .num_tokens = args_.num_tokens,
                           .xq = {},
                           .x = At(part.x, 0),
                           .x_stride = StrideOf(part.x),
                           .y = At(part.out, 0),
                           .y_stride = StrideOf(part.out)};
  if (part.quantised_bytes >= 0) args.xq = Quantised(part.quantised_bytes, args.num_channels);
  return args;
}

void Stepper::Multiply(const LinearPart& part, int64_t tile_begin, int64_t tile_end,
                       int64_t strip_begin, int64_t strip_end) {
  kernels::MatMulArgs args = ProductOf(part);
  args.tile_begin = tile_begin;
  args.tile_end = tile_end;
  args.strip_begin = strip_begin;
  args.strip_end = strip_end;
  kernels_.matmul[static_cast<size_t>(Weight(part).type)](args);
  if (part.bias >= 0) AddBias(part, tile_begin, tile_end);
  if (part.soft_cap > 0.0F) CapRows(part, args);
}

// Of the strips just multiplied: their neighbours may be another member's.
void Stepper::CapRows(const LinearPart& part, const kernels::MatMulArgs& args) const {
  for (int64_t tile = args.tile_begin; tile < args.tile_end; ++tile) {
    const int64_t first = tile * kernels::kTileRows + args.strip_begin * kernels::kStripRows;
    const int64_t end = tile * kernels::kTileRows + args.strip_end * kernels::kStripRows;
    const int64_t count = std::min(end, args.num_rows) - first;
    for (int64_t t = 0; count > 0 && t < args.num_tokens; ++t)
      kernels_.soft_cap(part.soft_cap, count, args.y + t * args.y_stride + first);
  }
}

// To the products of these tiles.
void Stepper::AddBias(const LinearPart& part, int64_t tile_begin, int64_t tile_end) {
  const auto* const bias = reinterpret_cast<const float*>(file_.WeightData(part.bias));
  const int64_t first = tile_begin * kernels::kTileRows;
  const int64_t count = std::min(tile_end * kernels::kTileRows, RowsOf(part)) - first;
  for (int64_t t = 0; t < args_.num_tokens; ++t)
    kernels_.add(bias + first, count, At(part.out, t) + first);
}

// A few tiles at a time, as matrices of their own, whose logits stay with this member.
void Stepper::MultiplyForBest(const LinearPart& part, int64_t tile_begin, int64_t tile_end) {
  const graph::Weight& weight = Weight(part);
  const int64_t tile_bytes = kernels::TileBytes(weight.type, weight.shape.Columns());
  BestRows& best = *workspace_->Best();
  kernels::MatMulArgs args = ProductOf(part);
  args.y = best.Logits(thread_index_);
  args.y_stride = BestRows::kLogits;
  const std::byte* const tiles = file_.WeightData(part.weight);
  for (int64_t tile = tile_begin; tile < tile_end; tile += BestRows::kTiles) {
    const int64_t first_row = tile * kernels::kTileRows;
    const int64_t end = std::min(tile + BestRows::kTiles, tile_end);
    args.tiles = tiles + tile * tile_bytes;
    args.num_rows = std::min(end * kernels::kTileRows, RowsOf(part)) - first_row;
    args.tile_begin = 0;
    args.tile_end = end - tile;
    kernels_.matmul[static_cast<size_t>(weight.type)](args);
    if (part.soft_cap > 0.0F) CapRows(part, args);
    for (int64_t t = 0; t < args_.num_tokens; ++t) {
      best.Offer(thread_index_, t, {args.y + t * args.y_stride, static_cast<size_t>(args.num_rows)},
                 first_row, kernels_);
    }
  }
}

// Of the tiles just computed. Logits that are no numbers are found by whoever reads them all.
void Stepper::StoreMaxima(const LinearPart& part, int64_t tile_begin, int64_t tile_end) {
  if (args_.block_maxima == nullptr) return;
  for (int64_t t = 0; t < args_.num_tokens; ++t) {
    const float* const logits = At(part.out, t);
    for (int64_t tile = tile_begin; tile < tile_end; ++tile) {
      const int64_t first = tile * kernels::kTileRows;
      const int64_t count = std::min(kernels::kTileRows, RowsOf(part) - first);
      args_.block_maxima[t * args_.maxima_stride + tile] =
          kernels_.argmax(logits + first, count).value;
    }
  }
}

// Reads the beginning of this member's stretch into its second-level cache, while the others finish
// what the products wait for. Plain loads: software prefetching into that level halves the speed.
void Stepper::Warm(const LinearPhase& phase) const {
  if (!args_.needed_blocks.empty()) return;
  const int64_t total = TotalTiles(phase);
  const int64_t first = total * thread_index_ / pool_->NumThreads();
  if (first >= total) return;
  const auto [part, tile, end] = PartAt(phase, first, total);
  const int64_t tile_bytes = kernels::TileBytes(Weight(*part).type, Weight(*part).shape.Columns());
  const volatile std::byte* from = file_.WeightData(part->weight) + tile * tile_bytes;
  for (int64_t i = 0; i < std::min((end - tile) * tile_bytes, kWarmBytes); i += 64) (void)from[i];
}

}  // namespace headway::cpu
