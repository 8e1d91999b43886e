#include <algorithm>
#include <filesystem>
#include <utility>

#include "device/stored_shard.h"
#include "engine/oracle_angles.h"
#include "engine/stored_weights.h"
#include "gates/golden.h"
#include "tensor/half.h"

namespace headway::gates {
namespace {

Expected FromGoldens(const Heads& heads, const Goldens& goldens) {
  const Pipeline& pipeline = *heads.front();
  Expected expected;
  const int64_t size = goldens.NumTokens() * goldens.hidden_size;
  const auto add = [&](int64_t layer) {
    const float* first = goldens.HiddenBefore(layer);
    expected.boundaries.emplace_back(first, first + size);
  };
  for (const LayerShard& shard : pipeline.manifest().layers) add(shard.start);
  add(goldens.num_layers);
  expected.logits.assign(heads.size(), goldens.logits);
  return expected;
}

// As the programs take and give them: 16-bit floats of the values times `scale`, a power of two.
std::vector<float> RoundedToHalf(std::span<const double> values, float scale) {
  std::vector<float> rounded;
  rounded.reserve(values.size());
  for (const double value : values)
    rounded.push_back(ToFloat(ToF16(static_cast<float>(value) * scale)) / scale);
  return rounded;
}

Result<std::vector<double>> RunOracle(StoredShard stored, const Device& device,
                                      const oracle::OracleStep& step) {
  HW_TRY(oracle::Oracle oracle,
         oracle::Oracle::Create(std::move(stored.graph), std::move(stored.weights),
                                RoundingsOf(device.traits)));
  return oracle.Run(step);
}

// The logits of one head on the rows that it, or the host for it, stores.
Result<std::vector<float>> LogitsOf(const Pipeline& pipeline, const HeadSpec& head,
                                    const std::vector<float>& last) {
  const auto V = static_cast<size_t>(pipeline.model().vocab_size);
  const size_t T = last.size() / static_cast<size_t>(pipeline.model().hidden_size);
  std::vector<float> logits(T * V);
  for (const HeadShard& shard : head.shards) {
    HW_TRY(StoredShard stored, OpenStoredHead(pipeline.device(), pipeline.Directory(),
                                              pipeline.manifest(), head, shard));
    HW_TRY(const std::vector<double> part,
           RunOracle(std::move(stored), pipeline.device(), {.x = {last.begin(), last.end()}}));
    const auto width = static_cast<size_t>(shard.vocab_end - shard.vocab_start);
    for (size_t t = 0; t < T; ++t) {
      std::copy_n(
          part.begin() + static_cast<int64_t>(t * width), width,
          logits.begin() + static_cast<int64_t>(t * V + static_cast<size_t>(shard.vocab_start)));
    }
  }
  return logits;
}

}  // namespace

Result<Expected> Expect(const Heads& heads, const Goldens& goldens) {
  Pipeline& pipeline = *heads.front();
  if (!pipeline.device().StoresOwnRows()) return FromGoldens(heads, goldens);
  const std::filesystem::path directory = pipeline.Directory();
  const ModelConfig& config = pipeline.model();
  const auto D = static_cast<size_t>(config.hidden_size);
  const float scale = pipeline.manifest().residual_scale;
  const OracleAngles angles(config, goldens.NumTokens());
  Expected expected;
  std::vector<float> row(D);
  std::vector<double> x;
  for (const int32_t id : goldens.ids) {
    pipeline.EmbedToken(id, row.data());
    x.insert(x.end(), row.begin(), row.end());
  }
  expected.boundaries.push_back(RoundedToHalf(x, scale));
  for (const LayerShard& shard : pipeline.manifest().layers) {
    const std::vector<float>& before = expected.boundaries.back();
    HW_TRY(StoredShard stored,
           pipeline.device().open_stored((directory / shard.file.path).string(), "", ""));
    HW_TRY(const std::vector<double> y,
           RunOracle(std::move(stored), pipeline.device(),
                     {.x = {before.begin(), before.end()}, .rotary = angles.Tables()}));
    expected.boundaries.push_back(RoundedToHalf(y, scale));
  }
  // Programs of full rows all store the same ones: the oracle runs once for them.
  const std::vector<float>* stored = nullptr;
  expected.logits.reserve(heads.size());
  for (const auto& head : heads) {
    const HeadSpec& spec = *FindHead(pipeline.manifest(), head->Head().kind);
    if (!spec.rows && stored != nullptr) {
      expected.logits.push_back(*stored);
      continue;
    }
    HW_TRY(std::vector<float> logits, LogitsOf(pipeline, spec, expected.boundaries.back()));
    expected.logits.push_back(std::move(logits));
    if (!spec.rows) stored = &expected.logits.back();
  }
  return expected;
}

}  // namespace headway::gates
