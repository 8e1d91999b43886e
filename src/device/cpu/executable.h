#pragma once

// Runs a plan on a team of threads. Inside this folder only.

#include <memory>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "device/cpu/plan.h"
#include "device/cpu/shard_file.h"
#include "device/device.h"
#include "kernels/kernel_set.h"

namespace headway::cpu {

class CpuExecutable final : public Executable {
 public:
  // `kernels` and `pool` must outlive the executable.
  CpuExecutable(ShardFile file, Plan plan, const kernels::SelectedKernels* kernels,
                ThreadPool* pool);

  bool CanStore(KvType kv) const override;
  std::unique_ptr<ShardState> NewState(const StateOptions& options) const override;
  std::unique_ptr<ShardWorkspace> NewWorkspace(int64_t capacity_tokens) const override;
  void Run(const StepArgs& args) noexcept override;
  void RunHead(std::span<const HeadRun> runs, const HeadShardDone& done) noexcept override;
  void ReadRow(int64_t row, float* out) const override;
  ShardInterface Interface() const override;
  int64_t ScratchBytes() const override { return plan_.scratch_bytes; }
  int64_t MaxTokens() const override { return kMaxStepTokens; }
  int64_t WeightBytes() const override;
  void LetGoOfWeights() const override {
    file_.mapping.AdviseDone(0, file_.mapping.Bytes().size());
  }
  headway::Residency Residency() const override;
  int64_t StripRows() const override;
  ProductInput RunToProduct(const StepArgs& args, float* multiplied) noexcept override;
  void ComputeStrip(const ProductInput& input, int64_t strip, float* y) const noexcept override;
  std::vector<Product> Products() const override;
  void RunProduct(size_t index, int64_t num_tokens, const float* x, float* y) override;

 private:
  void RunPhases(const StepArgs& args, size_t num_phases) noexcept;
  // Writes the members' best rows as the step's output, in shards that select.
  void StoreBest(const StepArgs& args) const noexcept;
  // Whether what comes before the last product leaves the same in the same place of the scratch.
  bool SharesInput(const CpuExecutable& other) const;

  const ShardFile file_;
  const Plan plan_;
  const kernels::SelectedKernels* const kernels_;
  ThreadPool* const pool_;
};

}  // namespace headway::cpu
