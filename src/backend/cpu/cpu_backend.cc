#include "backend/cpu/cpu_backend.h"

#include <fmt/format.h>

#include <utility>

#include "backend/cpu/executable.h"
#include "backend/cpu/plan.h"
#include "backend/cpu/shard_file.h"

namespace headway::cpu {
namespace {

class CpuBackend final : public Backend {
 public:
  CpuBackend(const kernels::SelectedKernels* kernels, ThreadPool* pool)
      : kernels_(kernels), pool_(pool) {}

  std::string_view Device() const override { return "cpu"; }

  Result<std::unique_ptr<Executable>> Load(const std::string& path) override {
    HW_TRY(ShardFile file, ShardFile::Open(path));
    auto plan = MakePlan(file.graph, kMaxStepTokens);
    if (!plan) return Prefixed(plan.error(), path);
    if (plan->matrix < 0) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{}: expected a shard with a matrix, found none", path));
    }
    file.mapping.AdviseStreaming();
    return std::make_unique<CpuExecutable>(std::move(file), *std::move(plan), kernels_, pool_);
  }

 private:
  const kernels::SelectedKernels* const kernels_;
  ThreadPool* const pool_;
};

}  // namespace

std::unique_ptr<Backend> MakeCpuBackend(const kernels::SelectedKernels* kernels, ThreadPool* pool) {
  return std::make_unique<CpuBackend>(kernels, pool);
}

}  // namespace headway::cpu
