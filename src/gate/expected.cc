#include "gate/expected.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "backend/coreml/shard_reference.h"
#include "runtime/rotary_tables.h"
#include "tensor/half.h"

namespace headway::gate {
namespace {

Expected FromGoldens(const Pipeline& pipeline, const Goldens& goldens) {
  Expected expected;
  const int64_t size = goldens.NumTokens() * goldens.hidden_size;
  const auto add = [&](int64_t layer) {
    const float* first = goldens.HiddenBefore(layer);
    expected.boundaries.emplace_back(first, first + size);
  };
  for (const LayerShard& shard : pipeline.manifest().layers) add(shard.start);
  add(goldens.num_layers);
  expected.logits = goldens.logits;
  return expected;
}

// As the programs take and give them.
std::vector<float> RoundedToHalf(std::span<const double> values) {
  std::vector<float> rounded;
  for (const double value : values) rounded.push_back(ToFloat(ToF16(static_cast<float>(value))));
  return rounded;
}

Result<std::vector<double>> RunOracle(const std::string& mlpackage,
                                      const oracle::OracleStep& step) {
  HW_TRY(coreml::ShardReference reference, coreml::OpenShardReference(mlpackage));
  HW_TRY(oracle::Oracle oracle,
         oracle::Oracle::Create(std::move(reference.graph), std::move(reference.weights),
                                coreml::kShardOracle));
  return oracle.Run(step);
}

}  // namespace

Result<Expected> Expect(const Heads& heads, const Goldens& goldens) {
  Pipeline& pipeline = *heads.front();
  if (pipeline.manifest().device != "coreml") return FromGoldens(pipeline, goldens);
  const std::filesystem::path directory = pipeline.Directory();
  const ModelConfig& config = pipeline.model();
  const int64_t T = goldens.NumTokens();
  const auto D = static_cast<size_t>(config.hidden_size);
  RotaryTables tables(config, T);
  tables.Fill(0, T, false);
  const auto num_angles = static_cast<size_t>(T * (config.rotary_dim / 2));
  const std::vector<double> cos(tables.Cos(), tables.Cos() + num_angles);
  const std::vector<double> sin(tables.Sin(), tables.Sin() + num_angles);

  Expected expected;
  std::vector<float> row(D);
  std::vector<double> x;
  for (const int32_t id : goldens.ids) {
    pipeline.EmbedToken(id, row.data());
    x.insert(x.end(), row.begin(), row.end());
  }
  expected.boundaries.push_back(RoundedToHalf(x));
  for (const LayerShard& shard : pipeline.manifest().layers) {
    const std::vector<float>& before = expected.boundaries.back();
    HW_TRY(const std::vector<double> y,
           RunOracle((directory / shard.file.path).string(),
                     {.x = {before.begin(), before.end()}, .rotary_cos = cos, .rotary_sin = sin}));
    expected.boundaries.push_back(RoundedToHalf(y));
  }
  const std::vector<float>& last = expected.boundaries.back();
  const auto V = static_cast<size_t>(config.vocab_size);
  expected.logits.resize(static_cast<size_t>(T) * V);
  for (const HeadShard& shard : pipeline.Head().specs) {
    HW_TRY(const std::vector<double> part,
           RunOracle((directory / shard.file.path).string(), {.x = {last.begin(), last.end()}}));
    const auto width = static_cast<size_t>(shard.vocab_end - shard.vocab_start);
    for (size_t t = 0; t < static_cast<size_t>(T); ++t) {
      std::copy_n(part.begin() + static_cast<int64_t>(t * width), width,
                  expected.logits.begin() +
                      static_cast<int64_t>(t * V + static_cast<size_t>(shard.vocab_start)));
    }
  }
  return expected;
}

}  // namespace headway::gate
