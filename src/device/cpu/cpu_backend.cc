#include "device/cpu/cpu_backend.h"

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <utility>

#include "base/platform.h"
#include "device/cpu/executable.h"
#include "device/cpu/plan.h"
#include "device/cpu/shard_file.h"

namespace headway::cpu {
namespace {

constexpr uint64_t kSmallShardBytes =
    uint64_t{4} << 20;  // larger ones gain from huge pages, also as one of many

bool WantsCopy(LoadMode mode, uint64_t weight_bytes) {
  if (mode != LoadMode::kAuto) return mode == LoadMode::kCopy;
  return weight_bytes >= kSmallShardBytes && platform::AvailableMemoryBytes() / 2 >= weight_bytes;
}

class CpuBackend final : public Backend {
 public:
  CpuBackend(const kernels::SelectedKernels* kernels, ThreadPool* pool, LoadMode mode)
      : kernels_(kernels), pool_(pool), mode_(mode) {}

  std::string_view Device() const override { return "cpu"; }

  Result<std::unique_ptr<Executable>> Load(const std::string& path) override {
    HW_TRY(ShardFile file, ShardFile::Open(path));
    auto plan = MakePlan(file.graph, kMaxStepTokens);
    if (!plan) return Prefixed(plan.error(), path);
    if (plan->matrix < 0) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{}: expected a shard with a matrix, found none", path));
    }
    if (WantsCopy(mode_, file.stored.total_bytes)) {
      HW_TRY_VOID(file.CopyToHugePages(pool_));
    } else {
      file.mapping.AdviseStreaming();
    }
    return std::make_unique<CpuExecutable>(std::move(file), *std::move(plan), kernels_, pool_);
  }

  Result<lmhead::Planes> LoadPlanes(const std::string& path,
                                    const std::string& rows_digest) override {
    std::error_code error;
    const uint64_t bytes = std::filesystem::file_size(path, error);
    return lmhead::Planes::Open(path, rows_digest, !error && WantsCopy(mode_, bytes), pool_);
  }

 private:
  const kernels::SelectedKernels* const kernels_;
  ThreadPool* const pool_;
  const LoadMode mode_;
};

}  // namespace

std::unique_ptr<Backend> MakeCpuBackend(const kernels::SelectedKernels* kernels, ThreadPool* pool,
                                        LoadMode mode) {
  return std::make_unique<CpuBackend>(kernels, pool, mode);
}

}  // namespace headway::cpu
