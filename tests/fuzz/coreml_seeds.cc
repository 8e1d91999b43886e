#include "coreml_seeds.h"

#include <unistd.h>

#include <filesystem>

#include "base/check.h"
#include "base/file_writer.h"
#include "device/coreml/package/package.h"
#include "device/coreml/shards/head_shard.h"
#include "device/coreml/shards/layer_shard.h"

namespace headway {
namespace {

namespace fs = std::filesystem;

mil::LayerShardSpec TinyLayer() {
  mil::LayerShardSpec spec;
  spec.hidden_size = 8;
  spec.num_heads = 2;
  spec.num_kv_heads = 1;
  spec.head_dim = 4;
  spec.rotary_dims = 2;
  spec.intermediate_size = 8;
  spec.max_seq = 4;
  return spec;
}

void Keep(const fs::path& directory, const mil::WeightFormat& format, int64_t tokens,
          CoremlSeeds* seeds) {
  auto writer = mil::PackageWriter::Create(directory.string(), true);
  HW_CHECK(writer.has_value(), "a temporary directory can be written");
  mil::LayerShardSpec spec = TinyLayer();
  spec.weights = format;
  spec.tokens = tokens;
  spec.flexible = tokens > 1;
  const mil::LayerWeightSource source = [](mil::LayerWeight, int, int64_t row,
                                           std::span<float> out) -> Result<void> {
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<float>((static_cast<size_t>(row) + i) % 7) - 3.0F;
    return {};
  };
  const auto shard = mil::BuildLayerShard(spec, source, &writer->Weights());
  HW_CHECK(shard.has_value() && writer->Finish(shard->model).has_value(),
           "a tiny shard can be written");
  const std::string items = directory.string() + "/Data/com.apple.CoreML/";
  seeds->models.push_back(*ReadTextFile(items + "model.mlmodel", 1 << 24));
  seeds->weights.push_back(*ReadTextFile(items + "weights/weight.bin", 1 << 24));
  seeds->manifests.push_back(*ReadTextFile(directory.string() + "/Manifest.json", 1 << 20));
}

}  // namespace

CoremlSeeds MakeCoremlSeeds() {
  CoremlSeeds seeds;
  const fs::path directory =
      fs::temp_directory_path() / ("headway-coreml-seeds-" + std::to_string(getpid()));
  Keep(directory, {.kind = mil::WeightKind::kInt8PerChannel}, 1, &seeds);
  Keep(directory, {.kind = mil::WeightKind::kLut, .lut_bits = 3}, 2, &seeds);
  fs::remove_all(directory);
  return seeds;
}

}  // namespace headway
