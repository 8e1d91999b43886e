#pragma once

// A shard file with its plan, and the team and kernels that run it: what layers, heads and
// embeddings are made of. Inside this folder only.

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/thread_pool.h"
#include "device/cpu/kv_pool.h"
#include "device/cpu/plan.h"
#include "device/cpu/shard_file.h"
#include "device/loaded_head_shard.h"
#include "device/loaded_layer_shard.h"
#include "kernels/kernel_set.h"

namespace headway::cpu {

struct CpuShard final : ProductProbe {
  // `kernels` and `pool` must outlive the shard.
  CpuShard(ShardFile shard_file, Plan its_plan, const kernels::SelectedKernels* selected,
           ThreadPool* team)
      : file(std::move(shard_file)), plan(std::move(its_plan)), kernels(selected), pool(team) {}

  ShardFacts Facts() const;
  std::unique_ptr<ShardWorkspace> NewWorkspace(int64_t capacity_tokens) const;
  // The plan's first num_phases phases.
  void Run(const StepArgs& args, size_t num_phases) const noexcept;
  // Writes the members' best rows as the step's output, in shards that select.
  void StoreBest(const StepArgs& args) const noexcept;
  headway::Residency Residency() const;
  // The matrix of the last product, or the table of an embedding.
  const graph::Weight& Matrix() const {
    return file.graph.weights[static_cast<size_t>(plan.matrix)];
  }
  void ReadRow(int64_t row, float* out) const;
  std::vector<Product> Products() const override;
  void RunProduct(size_t index, int64_t num_tokens, const float* x, float* y) const override;

  ShardFile file;
  Plan plan;
  const kernels::SelectedKernels* kernels;
  ThreadPool* pool;
};

class CpuLayers final : public LoadedLayerShard {
 public:
  explicit CpuLayers(CpuShard shard);

  std::unique_ptr<ShardState> NewState(const StateOptions& options) const override;
  int64_t StateBytes(const StateOptions& options) const override;
  std::unique_ptr<ShardWorkspace> NewWorkspace(int64_t capacity_tokens) const override {
    return shard_.NewWorkspace(capacity_tokens);
  }
  Result<void> Run(const StepArgs& args) noexcept override;
  headway::Residency Residency() const override { return shard_.Residency(); }
  const ProductProbe* Probe() const override { return &shard_; }
  void LetGoOfWeights() const override {
    shard_.file.mapping.AdviseDone(0, shard_.file.mapping.Bytes().size());
  }

 private:
  const CpuShard shard_;
  // By KvType; null: the shard cannot store it.
  std::array<std::shared_ptr<KvPool>, kNumKvTypes> kv_pools_;
};

class CpuHead final : public LoadedHeadShard, public RowStrips, public RowTable {
 public:
  explicit CpuHead(CpuShard shard)
      : LoadedHeadShard(shard.Facts()),
        RowTable(shard.Matrix().shape[0], shard.Matrix().shape.Columns()),
        shard_(std::move(shard)) {}

  std::unique_ptr<ShardWorkspace> NewWorkspace(int64_t capacity_tokens) const override {
    return shard_.NewWorkspace(capacity_tokens);
  }
  Result<void> Run(const StepArgs& args) noexcept override {
    shard_.Run(args, shard_.plan.phases.size());
    shard_.StoreBest(args);
    return {};
  }
  headway::Residency Residency() const override { return shard_.Residency(); }
  const ProductProbe* Probe() const override { return &shard_; }
  Result<void> RunHead(std::span<const HeadRun> runs, const HeadShardDone& done) noexcept override;
  RowStrips* Strips() override { return shard_.plan.LastProduct() == nullptr ? nullptr : this; }
  const RowTable* Rows() const override { return this; }
  ProductInput RunToProduct(const StepArgs& args, float* multiplied) noexcept override;
  void ComputeStrip(const ProductInput& input, int64_t strip, float* y) const noexcept override;
  void ReadRow(int64_t row, float* out) const override { shard_.ReadRow(row, out); }

 private:
  // Whether what comes before the last product leaves the same in the same place of the scratch.
  bool SharesInput(const CpuHead& other) const;

  const CpuShard shard_;
};

class CpuEmbedding final : public RowTable {
 public:
  explicit CpuEmbedding(CpuShard shard)
      : RowTable(shard.Matrix().shape[0], shard.Matrix().shape.Columns()),
        shard_(std::move(shard)) {}
  void ReadRow(int64_t row, float* out) const override { shard_.ReadRow(row, out); }

 private:
  const CpuShard shard_;
};

}  // namespace headway::cpu
