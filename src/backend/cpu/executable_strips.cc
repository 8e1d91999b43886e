// A head shard taken apart: activations once, then single strips of rows.

#include <algorithm>

#include "backend/cpu/executable.h"
#include "kernels/tiles.h"

namespace headway::cpu {

const LinearPart* CpuExecutable::LastProduct() const {
  if (plan_.phases.empty()) return nullptr;
  const auto* linear = std::get_if<LinearPhase>(&plan_.phases.back());
  return linear == nullptr || linear->parts.size() != 1 ? nullptr : &linear->parts.front();
}

int64_t CpuExecutable::StripRows() const {
  return LastProduct() == nullptr ? 0 : kernels::kStripRows;
}

ProductInput CpuExecutable::RunToProduct(const StepArgs& args, ShardState* state,
                                         float* multiplied) noexcept {
  const LinearPart& product = *LastProduct();
  RunPhases(args, state, plan_.phases.size() - 1);
  const int64_t columns = file_.graph.weights[static_cast<size_t>(product.weight)].shape.Columns();
  if (product.quantised_bytes < 0) {
    // One token: its row, wherever it is.
    const auto* row = product.x.base == Place::Base::kInput
                          ? args.input + product.x.channel
                          : reinterpret_cast<const float*>(args.scratch + product.x.offset_bytes) +
                                product.x.channel;
    std::copy_n(row, columns, multiplied);
    return {.activations = reinterpret_cast<const std::byte*>(row)};
  }
  std::byte* activations = args.scratch + product.quantised_bytes;
  const kernels::QuantisedRows rows{
      .blocks = reinterpret_cast<kernels::ActivationBlock*>(activations),
      .num_tokens = 1,
      .num_channels = columns};
  for (int64_t c = 0; c < columns; ++c) {
    const kernels::ActivationBlock& block = *rows.Block(0, c / 32);
    multiplied[c] = static_cast<float>(block.q[c % 32]) * block.scale;
  }
  return {.activations = activations};
}

void CpuExecutable::ComputeStrip(const ProductInput& input, int64_t strip,
                                 float* y) const noexcept {
  const LinearPart& product = *LastProduct();
  const graph::Weight& weight = file_.graph.weights[static_cast<size_t>(product.weight)];
  const int64_t tile = strip / kernels::kTileStrips;
  kernels::MatMulArgs args{.tiles = file_.WeightData(product.weight),
                           .num_rows = weight.shape[0],
                           .num_channels = weight.shape.Columns(),
                           .tile_begin = tile,
                           .tile_end = tile + 1,
                           .strip_begin = strip % kernels::kTileStrips,
                           .strip_end = strip % kernels::kTileStrips + 1,
                           .num_tokens = 1,
                           .xq = {},
                           .x = reinterpret_cast<const float*>(input.activations),
                           .x_stride = weight.shape.Columns(),
                           .y = y,
                           .y_stride = weight.shape[0]};
  if (product.quantised_bytes >= 0) {
    // The kernels read it only.
    auto* blocks =
        reinterpret_cast<kernels::ActivationBlock*>(const_cast<std::byte*>(input.activations));
    args.xq = {.blocks = blocks, .num_tokens = 1, .num_channels = args.num_channels};
  }
  kernels_->kernels.matmul[static_cast<size_t>(weight.type)](args);
}

}  // namespace headway::cpu
