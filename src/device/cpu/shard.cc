#include "device/cpu/shard.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "device/cpu/shard_state.h"
#include "device/cpu/stepper.h"
#include "kernels/tiles.h"
#include "tensor/codec.h"

namespace headway::cpu {

namespace {

bool CanStoreQ8(const Plan& plan) {
  return std::all_of(plan.phases.begin(), plan.phases.end(), [](const Phase& phase) {
    const auto* attention = std::get_if<AttentionPhase>(&phase);
    return attention == nullptr || attention->attention.head_dim % kernels::kKvBlock == 0;
  });
}

}  // namespace

CpuLayers::CpuLayers(CpuShard shard) : LoadedLayerShard(shard.Facts()), shard_(std::move(shard)) {
  for (const KvType kv : {KvType::kF16, KvType::kQ8_0}) {
    if (!CanStore(kv)) continue;
    kv_pools_[static_cast<size_t>(kv)] =
        std::make_shared<KvPool>(KvPageLayout(shard_.plan, kv).PageBytes());
  }
}

std::unique_ptr<ShardState> CpuLayers::NewState(const StateOptions& options) const {
  HW_CHECK(CanStore(options.kv), "a form of keys and values that the shard can store");
  return std::make_unique<CpuShardState>(KvPageLayout(shard_.plan, options.kv),
                                         kv_pools_[static_cast<size_t>(options.kv)],
                                         options.capacity_tokens);
}

int64_t CpuLayers::StateBytes(const StateOptions& options) const {
  return kernels::NumKvPages(options.capacity_tokens) *
         KvPageLayout(shard_.plan, options.kv).PageBytes();
}

Result<void> CpuLayers::Run(const StepArgs& args) noexcept {
  for (const StepRow& row : args.rows) {
    if (row.state != nullptr)
      static_cast<CpuShardState*>(row.state)->Kv().PrepareToStore(row.first_position,
                                                                  row.num_tokens);
  }
  shard_.Run(args, shard_.plan.phases.size());
  return {};
}

std::unique_ptr<ShardWorkspace> CpuShard::NewWorkspace(int64_t capacity_tokens) const {
  return std::make_unique<CpuWorkspace>(plan, capacity_tokens, pool->NumThreads());
}

void CpuShard::StoreBest(const StepArgs& args) const noexcept {
  const LinearPart* const product = plan.LastProduct();
  if (product == nullptr || product->selection != Selection::kTop1) return;
  const BestRows& best = *static_cast<CpuWorkspace*>(args.workspace)->Best();
  for (int64_t t = 0; t < args.num_tokens; ++t) {
    const BestRow winner = best.Winner(t);
    args.output[t * args.output_stride] = winner.logit;
    args.output[t * args.output_stride + 1] = static_cast<float>(winner.row);
  }
}

void CpuShard::Run(const StepArgs& args, size_t num_phases) const noexcept {
  static_cast<CpuWorkspace*>(args.workspace)->ResetQueues();
  pool->Run([&](int thread_index) {
    Stepper(file, plan, kernels->kernels, args, pool, thread_index).Run(0, num_phases);
  });
}

void CpuShard::ReadRow(int64_t row, float* out) const {
  const graph::Weight& weight = Matrix();
  const int64_t columns = weight.shape.Columns();
  const std::byte* data = file.WeightData(plan.matrix);
  if (file.stored.weights[static_cast<size_t>(plan.matrix)].layout == Layout::kTile16) {
    const std::byte* tile =
        data + row / kernels::kTileRows * kernels::TileBytes(weight.type, columns);
    kernels::UnpackTileRow(weight.type, tile, row % kernels::kTileRows, columns, out);
  } else {
    DequantiseRow(weight.type, data + row * RowBytes(weight.type, columns), columns, out);
  }
}

ShardFacts CpuShard::Facts() const {
  const graph::Value& input = file.graph.values[static_cast<size_t>(file.graph.inputs[0])];
  const graph::Value& output = file.graph.values[static_cast<size_t>(file.graph.outputs[0])];
  ShardFacts facts{.interface = {},
                   .scratch_bytes = plan.scratch_bytes,
                   .max_tokens = kMaxStepTokens,
                   .weight_bytes = static_cast<int64_t>(file.stored.total_bytes),
                   .stores_q8_kv = CanStoreQ8(plan)};
  ShardInterface& interface = facts.interface;
  interface.input_channels = input.is_ids ? 0 : input.channels;
  interface.output_channels = output.channels;
  if (const LinearPart* product = plan.LastProduct()) {
    interface.is_top1 = product->selection == Selection::kTop1;
    if (product->selection == Selection::kBlockMax) interface.block_rows = kernels::kTileRows;
  }
  for (const Phase& phase : plan.phases) {
    const auto* attention = std::get_if<AttentionPhase>(&phase);
    if (attention == nullptr || attention->rotary.n_rot == 0) continue;
    interface.rotary_dim = std::max(interface.rotary_dim, attention->rotary.n_rot);
    interface.rotary_tables = std::max(interface.rotary_tables, attention->rotary.table + 1);
  }
  return facts;
}

}  // namespace headway::cpu
