// Head shards taken apart: activations once, then all shards, or single strips of rows.

#include <algorithm>

#include "device/cpu/shard.h"
#include "device/cpu/shard_state.h"
#include "device/cpu/stepper.h"
#include "kernels/tiles.h"

namespace headway::cpu {

static_assert(kRowBlock == kernels::kStripRows);

bool CpuHead::SharesInput(const CpuHead& other) const {
  const LinearPart* mine = shard_.plan.LastProduct();
  const LinearPart* its = other.shard_.plan.LastProduct();
  return mine != nullptr && its != nullptr &&
         shard_.plan.phases.size() == other.shard_.plan.phases.size() &&
         mine->quantised_bytes == its->quantised_bytes && mine->x.base == its->x.base &&
         mine->x.offset_bytes == its->x.offset_bytes;
}

// One meeting of the team a head instead of one a shard: norm and quantisation once, then each
// member streams its stretch of shard after shard.
Result<void> CpuHead::RunHead(std::span<const HeadRun> runs, const HeadShardDone& done) noexcept {
  for (const HeadRun& run : runs) {
    if (!SharesInput(static_cast<const CpuHead&>(*run.shard)))
      return LoadedHeadShard::RunHead(runs, done);
    static_cast<CpuWorkspace*>(run.args.workspace)->ResetQueues();
  }
  const size_t last = shard_.plan.phases.size() - 1;
  shard_.pool->Run([&](int thread_index) {
    for (size_t i = 0; i < runs.size(); ++i) {
      const CpuShard& shard = static_cast<const CpuHead&>(*runs[i].shard).shard_;
      Stepper stepper(shard.file, shard.plan, shard_.kernels->kernels, runs[i].args, shard_.pool,
                      thread_index);
      stepper.Run(i == 0 ? 0 : last, last + 1);
      if (thread_index == 0 && i + 1 < runs.size()) done(i);
    }
  });
  for (const HeadRun& run : runs)
    static_cast<const CpuHead&>(*run.shard).shard_.StoreBest(run.args);
  done(runs.size() - 1);
  return {};
}

ProductInput CpuHead::RunToProduct(const StepArgs& args, float* multiplied) noexcept {
  const LinearPart& product = *shard_.plan.LastProduct();
  shard_.Run(args, shard_.plan.phases.size() - 1);
  const int64_t columns =
      shard_.file.graph.weights[static_cast<size_t>(product.weight)].shape.Columns();
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

void CpuHead::ComputeStrip(const ProductInput& input, int64_t strip, float* y) const noexcept {
  const LinearPart& product = *shard_.plan.LastProduct();
  const graph::Weight& weight = shard_.file.graph.weights[static_cast<size_t>(product.weight)];
  const int64_t tile = strip / kernels::kTileStrips;
  kernels::MatMulArgs args{.tiles = shard_.file.WeightData(product.weight),
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
  shard_.kernels->kernels.matmul[static_cast<size_t>(weight.type)](args);
  const int64_t count = std::min(kernels::kStripRows, args.num_rows - strip * kernels::kStripRows);
  if (product.soft_cap > 0.0F)
    shard_.kernels->kernels.soft_cap(product.soft_cap, count, y + strip * kernels::kStripRows);
}

}  // namespace headway::cpu
