#include "device/cpu/cpu_device.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

#include "base/platform.h"
#include "device/cpu/emitter.h"
#include "device/cpu/plan.h"
#include "device/cpu/shard.h"
#include "device/cpu/shard_file.h"
#include "device/shard_description.h"
#include "graph/text.h"

namespace headway::cpu {
namespace {

constexpr uint64_t kSmallShardBytes =
    uint64_t{4} << 20;  // larger ones gain from huge pages, also as one of many

constexpr std::array kHeadForms = {HeadForm::kFull, HeadForm::kCertified, HeadForm::kReduced,
                                   HeadForm::kTop1, HeadForm::kBlockMax};

class CpuLoader final : public ShardLoader {
 public:
  explicit CpuLoader(const LoaderOptions& options)
      : ShardLoader(kDevice, options.pool),
        kernels_(options.kernels),
        load_(options.load),
        lazy_(options.lazy) {}

  Result<std::unique_ptr<LoadedLayerShard>> LoadLayers(
      std::span<const std::string> paths) override {
    HW_TRY(CpuShard shard, Load(paths.front()));
    return std::make_unique<CpuLayers>(std::move(shard));
  }

  Result<std::unique_ptr<LoadedHeadShard>> LoadHead(const HeadFiles& files) override {
    if (!files.rows.empty())
      return Fail(ErrorCode::kUnsupported, files.rows + ": this device screens no rows");
    HW_TRY(CpuShard shard, Load(files.paths.front()));
    return std::make_unique<CpuHead>(std::move(shard));
  }

  Result<std::unique_ptr<RowTable>> LoadEmbedding(const std::string& path) override {
    HW_TRY(CpuShard shard, Load(path));
    if (const ShardInterface found = shard.Facts().interface; found.input_channels != 0) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("{}: expected an embedding of token ids, found a shard from {} to {} "
                              "channels",
                              path, found.input_channels, found.output_channels));
    }
    return std::make_unique<CpuEmbedding>(std::move(shard));
  }

  // kAuto: when that much memory is free twice over.
  bool CopiesIntoMemory(uint64_t bytes) const override {
    if (lazy_) return false;
    if (load_ != LoadWeights::kAuto) return load_ == LoadWeights::kCopy;
    return bytes >= kSmallShardBytes && platform::AvailableMemoryBytes() / 2 >= bytes;
  }

 private:
  Result<CpuShard> Load(const std::string& path) const {
    HW_TRY(ShardFile file, ShardFile::Open(path));
    auto plan = MakePlan(file.graph, kMaxStepTokens);
    if (!plan) return Prefixed(plan.error(), path);
    if (plan->matrix < 0) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{}: expected a shard with a matrix, found none", path));
    }
    if (CopiesIntoMemory(file.stored.total_bytes)) {
      HW_TRY_VOID(file.CopyToHugePages(Pool()));
    } else if (!lazy_) {
      file.mapping.AdviseStreaming();
    }
    return CpuShard(std::move(file), *std::move(plan), kernels_, Pool());
  }

  const kernels::SelectedKernels* const kernels_;
  const LoadWeights load_;
  const bool lazy_;
};

Result<std::unique_ptr<ShardLoader>> MakeLoader(const LoaderOptions& options) {
  if (!options.compute_units.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("compute units: expected none for packages of the device cpu, found "
                            "'{}'",
                            options.compute_units));
  }
  return std::make_unique<CpuLoader>(options);
}

Result<ShardDescription> Describe(const std::string& path) {
  HW_TRY(const ShardFile shard, ShardFile::Open(path));
  return ShardDescription{.form = "",
                          .weight_bytes = shard.stored.total_bytes,
                          .text = graph::Print(shard.graph),
                          .problem = "",
                          .functions = {}};
}

}  // namespace

const Device kDevice = {.traits = {.name = "cpu",
                                   .head_forms = kHeadForms,
                                   .quantises_activations = true,
                                   .stores_q8_kv = true},
                        .new_emitter = MakeEmitter,
                        .new_loader = MakeLoader,
                        .describe = Describe};

}  // namespace headway::cpu
