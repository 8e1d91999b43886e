#include "device/cpu/executable.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "device/cpu/shard_state.h"
#include "device/cpu/stepper.h"
#include "kernels/tiles.h"
#include "tensor/codec.h"

namespace headway::cpu {

CpuExecutable::CpuExecutable(ShardFile file, Plan plan, const kernels::SelectedKernels* kernels,
                             ThreadPool* pool)
    : file_(std::move(file)), plan_(std::move(plan)), kernels_(kernels), pool_(pool) {}

bool CpuExecutable::CanStore(KvType kv) const {
  if (kv == KvType::kF16) return true;
  return std::all_of(plan_.phases.begin(), plan_.phases.end(), [](const Phase& phase) {
    const auto* attention = std::get_if<AttentionPhase>(&phase);
    return attention == nullptr || attention->attention.head_dim % kernels::kKvBlock == 0;
  });
}

std::unique_ptr<ShardState> CpuExecutable::NewState(const StateOptions& options) const {
  HW_CHECK(CanStore(options.kv), "a form of keys and values that the shard can store");
  return std::make_unique<CpuShardState>(plan_, options);
}

std::unique_ptr<ShardWorkspace> CpuExecutable::NewWorkspace(int64_t capacity_tokens) const {
  return std::make_unique<CpuWorkspace>(plan_, capacity_tokens, pool_->NumThreads());
}

void CpuExecutable::Run(const StepArgs& args) noexcept {
  RunPhases(args, plan_.phases.size());
  StoreBest(args);
}

void CpuExecutable::StoreBest(const StepArgs& args) const noexcept {
  const LinearPart* const product = plan_.LastProduct();
  if (product == nullptr || product->selection != Selection::kTop1) return;
  const BestRows& best = *static_cast<CpuWorkspace*>(args.workspace)->Best();
  for (int64_t t = 0; t < args.num_tokens; ++t) {
    const BestRow winner = best.Winner(t);
    args.output[t * args.output_stride] = winner.logit;
    args.output[t * args.output_stride + 1] = static_cast<float>(winner.row);
  }
}

void CpuExecutable::RunPhases(const StepArgs& args, size_t num_phases) noexcept {
  static_cast<CpuWorkspace*>(args.workspace)->ResetQueues();
  pool_->Run([&](int thread_index) {
    Stepper(file_, plan_, kernels_->kernels, args, pool_, thread_index).Run(num_phases);
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
  if (const LinearPart* product = plan_.LastProduct()) {
    result.is_top1 = product->selection == Selection::kTop1;
    if (product->selection == Selection::kBlockMax) result.block_rows = kernels::kTileRows;
  }
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
