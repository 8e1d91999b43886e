// Packing at Phi-4-mini's sizes: a 6-layer int8 shard (604 million weights) from rows made on the
// fly, with the time and the peak of memory it takes. Label slow.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "device/coreml/package/package.h"
#include "device/coreml/shards/layer_shard.h"

namespace headway::mil {
namespace {

namespace fs = std::filesystem;

TEST(SlowCoremlScale, SixLayerInt8Shard_StaysWithinMemory) {
  LayerShardSpec spec;
  spec.hidden_size = 3072;
  spec.num_heads = 24;
  spec.num_kv_heads = 8;
  spec.head_dim = 128;
  spec.rotary_dims = 96;
  spec.intermediate_size = 8192;
  spec.num_layers = 6;
  spec.max_seq = 512;
  const LayerWeightSource source = [](LayerWeight weight, int layer, int64_t row,
                                      std::span<float> out) -> Result<void> {
    uint32_t state = static_cast<uint32_t>(row) * 2654435761U + static_cast<uint32_t>(layer) * 97U +
                     static_cast<uint32_t>(weight) * 7U + 1U;
    for (float& value : out) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<float>(static_cast<int32_t>(state)) * 0x1p-36F;
    }
    return {};
  };
  const fs::path path =
      fs::temp_directory_path() / ("headway-coreml-scale-" + std::to_string(getpid()));
  const auto start = std::chrono::steady_clock::now();
  {
    ThreadPool pool(2);
    auto writer = PackageWriter::Create(path.string(), true);
    ASSERT_TRUE(writer.has_value()) << writer.error().message;
    const auto shard = BuildLayerShard(spec, source, &writer->Weights(), {&pool, {}});
    ASSERT_TRUE(shard.has_value()) << shard.error().message;
    const auto finished = writer->Finish(shard->model);
    ASSERT_TRUE(finished.has_value()) << finished.error().message;
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  fs::remove_all(path);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double peak_mb = static_cast<double>(usage.ru_maxrss) / 1024;
  std::printf("    %.1f MB in %.1f s, peak memory %.0f MB (mapped file pages included)\n",
              static_cast<double>(bytes) / 1e6, elapsed.count(), peak_mb);
  EXPECT_GT(bytes, 600'000'000U);
  EXPECT_LT(peak_mb, 1500);
}

}  // namespace
}  // namespace headway::mil
