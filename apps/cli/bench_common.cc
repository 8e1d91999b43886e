#include "bench_common.h"

#include <algorithm>

#include "numbers.h"

namespace headway::cli {

void Title(const BenchSetting& setting, const OpenedModel& model, const std::string& what) {
  const ModelSummary& s = model.summary;
  Say(setting, "\n{}: {}, {} {}, {} thread{}, {} a token\n", what, s.name, s.device,
      s.instruction_set, s.threads, s.threads == 1 ? "" : "s",
      FormatBytes(static_cast<double>(s.weight_bytes_per_token)));
}

std::vector<int32_t> MadeUpIds(int64_t count, int64_t vocab_size) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<int32_t>((i * 7919 + 11) % vocab_size));
  return ids;
}

Result<std::unique_ptr<Session>> NewSession(const BenchSetting& setting, OpenedModel* model,
                                            std::shared_ptr<Pipeline> pipeline, int64_t capacity,
                                            const SamplingParams& sampling) {
  SessionOptions options;
  options.kv = setting.kv;
  options.sampling = sampling;
  options.capacity_tokens = std::min(capacity, pipeline->manifest().ContextTokens());
  return Session::Create(std::move(pipeline), model->pool.get(), model->kernels->kernels,
                         std::move(options));
}

}  // namespace headway::cli
