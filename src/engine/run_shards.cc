#include "engine/run_shards.h"

#include <algorithm>

#include "base/aligned_buffer.h"
#include "engine/rotary_tables.h"

namespace headway {

namespace {

Result<std::vector<float>> RunSteps(LoadedShard* shard, ShardState* state_or_null,
                                    const ModelConfig& config, std::span<const float> input,
                                    int64_t num_channels, int64_t step) {
  const int64_t D = config.hidden_size;
  const int64_t num_tokens = static_cast<int64_t>(input.size()) / D;
  const int64_t most = std::min(step, shard->MaxTokens());
  const auto workspace = shard->NewWorkspace(num_tokens);
  AlignedBuffer scratch(static_cast<size_t>(shard->ScratchBytes()));
  RotaryTables tables(config, most);
  std::vector<float> output(static_cast<size_t>(num_tokens * num_channels));
  for (int64_t first = 0; first < num_tokens; first += most) {
    const int64_t count = std::min(most, num_tokens - first);
    tables.Fill(first, count, false);
    const StepRow row{.state = state_or_null, .first_position = first, .num_tokens = count};
    HW_TRY_VOID(shard->Run({.num_tokens = count,
                            .rows = {&row, 1},
                            .input = input.data() + first * D,
                            .output = output.data() + first * num_channels,
                            .output_stride = num_channels,
                            .rotary_cos = tables.Cos(),
                            .rotary_sin = tables.Sin(),
                            .rotary_table_stride = tables.TableStride(),
                            .scratch = scratch.data(),
                            .workspace = workspace.get()}));
  }
  return output;
}

}  // namespace

Result<std::vector<float>> RunLayerShard(LoadedLayerShard* shard, const ModelConfig& config,
                                         std::span<const float> input, int64_t step) {
  const int64_t D = config.hidden_size;
  const auto state = shard->NewState({.capacity_tokens = static_cast<int64_t>(input.size()) / D});
  return RunSteps(shard, state.get(), config, input, D, step);
}

Result<std::vector<float>> RunHeadShard(LoadedHeadShard* shard, const ModelConfig& config,
                                        std::span<const float> input, int64_t num_rows) {
  return RunSteps(shard, nullptr, config, input, num_rows, shard->MaxTokens());
}

Result<std::vector<float>> RunLayers(Pipeline* pipeline, std::span<const int32_t> ids,
                                     AfterRun after) {
  const ModelConfig& config = pipeline->model();
  const auto num_tokens = static_cast<int64_t>(ids.size());
  std::vector<float> x(static_cast<size_t>(num_tokens * config.hidden_size));
  for (size_t t = 0; t < ids.size(); ++t)
    pipeline->EmbedToken(ids[t], x.data() + t * static_cast<size_t>(config.hidden_size));
  for (const auto& shard : pipeline->Layers()) {
    HW_TRY(x, RunLayerShard(shard.get(), config, x, num_tokens));
    if (after == AfterRun::kLetGoOfWeights) shard->LetGoOfWeights();
  }
  return x;
}

}  // namespace headway
