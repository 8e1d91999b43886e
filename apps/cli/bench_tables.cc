#include "bench_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "measure/turns.h"
#include "numbers.h"
#include "profile_table.h"
#include "runtime/clock.h"
#include "runtime/session.h"

namespace headway::cli {
namespace {

using measure::Spread;

// Token ids without meaning, spread over the vocabulary, the same on every run.
std::vector<int32_t> MadeUpIds(int64_t count, int64_t vocab_size) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<int32_t>((i * 7919 + 11) % vocab_size));
  return ids;
}

Result<std::unique_ptr<Session>> NewSession(OpenedModel* model, std::shared_ptr<Pipeline> pipeline,
                                            int64_t capacity) {
  SessionOptions options;
  options.capacity_tokens = std::min(capacity, pipeline->model().max_position_embeddings);
  return Session::Create(std::move(pipeline), model->pool.get(), model->kernels->kernels,
                         std::move(options));
}

double Seconds(uint64_t ns) { return static_cast<double>(ns) * 1e-9; }

void Title(const OpenedModel& model, const std::string& what) {
  const ModelSummary& s = model.summary;
  fmt::print("\n{}: {}, {} {}, {} thread{}, {} a token\n", what, s.name, s.device,
             s.instruction_set, s.threads, s.threads == 1 ? "" : "s",
             FormatBytes(static_cast<double>(s.weight_bytes_per_token)));
}

}  // namespace

void BenchMemory(int max_threads, const BenchSetting& setting) {
  measure::ReadBandwidth bandwidth(measure::kBandwidthBytes);
  std::vector<std::unique_ptr<ThreadPool>> pools;
  std::vector<std::function<double()>> variants;
  pools.reserve(static_cast<size_t>(max_threads));
  variants.reserve(static_cast<size_t>(max_threads));
  for (int n = 1; n <= max_threads; ++n) {
    pools.push_back(std::make_unique<ThreadPool>(n));
    variants.emplace_back(
        [&bandwidth, pool = pools.back().get()] { return bandwidth.Measure(pool) * 1e-9; });
  }
  const auto results = measure::MeasureInTurns(variants, 2 * setting.rounds, 1);
  fmt::print("memory: reading {} that no cache holds\n",
             FormatBytes(static_cast<double>(bandwidth.SizeBytes())));
  fmt::print("{:>8}{:>10}{:>20}\n", "threads", "GB/s", "min - max");
  for (size_t i = 0; i < results.size(); ++i) {
    const Spread& v = results[i].value;
    fmt::print("{:>8}{:>10.1f}{:>20}\n", i + 1, v.median,
               fmt::format("{:.1f} - {:.1f}", v.min, v.max));
  }
}

Result<void> BenchChain(OpenedModel* model, const BenchSetting& setting,
                        measure::ReadBandwidth* bandwidth) {
  HW_TRY(const auto session,
         NewSession(model, model->pipeline,
                    setting.context + setting.rounds * setting.tokens + setting.tokens + 2));
  HW_TRY_VOID(session->Append(MadeUpIds(setting.context, model->pipeline->model().vocab_size)));
  struct Part {
    const char* name;
    std::vector<double> tokens_per_second, gbps, share;
  };
  std::vector<Part> parts = {
      {"step", {}, {}, {}}, {"  layers", {}, {}, {}}, {"  head", {}, {}, {}}};
  std::vector<uint64_t> samples;
  for (int round = 0; round <= setting.rounds; ++round) {
    const double floor = bandwidth->Measure(model->pool.get());
    const Counters before = session->GetCounters();
    for (int64_t i = 0; i < setting.tokens; ++i) {
      HW_TRY([[maybe_unused]] const auto choice, session->Decode());
    }
    if (round == 0) continue;  // warm-up
    const Counters& after = session->GetCounters();
    const double steps = static_cast<double>(after.steps - before.steps);
    const std::vector<std::pair<uint64_t, uint64_t>> figures = {
        {after.step_ns - before.step_ns, after.layers_bytes_read + after.head_bytes_read -
                                             before.layers_bytes_read - before.head_bytes_read},
        {after.layers_ns - before.layers_ns, after.layers_bytes_read - before.layers_bytes_read},
        {after.head_predict_ns - before.head_predict_ns,
         after.head_bytes_read - before.head_bytes_read}};
    for (size_t p = 0; p < parts.size(); ++p) {
      const double rate = static_cast<double>(figures[p].second) / Seconds(figures[p].first);
      parts[p].tokens_per_second.push_back(steps / Seconds(figures[p].first));
      parts[p].gbps.push_back(rate * 1e-9);
      parts[p].share.push_back(100.0 * rate / floor);
    }
    samples.insert(
        samples.end(),
        after.step_samples_ns.begin() + static_cast<int64_t>(before.step_samples_ns.size()),
        after.step_samples_ns.end());
  }
  Title(*model, "chain");
  fmt::print("{:<10}{:>12}{:>18}{:>10}{:>18}\n", "part", "a second", "min - max", "GB/s",
             "share of memory");
  for (const Part& part : parts) {
    const Spread speed = measure::Summarise(part.tokens_per_second);
    fmt::print("{:<10}{:>12.2f}{:>18}{:>10.1f}{:>16.0f} %\n", part.name, speed.median,
               fmt::format("{:.2f} - {:.2f}", speed.min, speed.max),
               measure::Summarise(part.gbps).median, measure::Summarise(part.share).median);
  }
  fmt::print("p50 {:.3f} ms, p99 {:.3f} ms; context {}; logits hash {:016x}\n",
             static_cast<double>(Percentile(samples, 50)) * 1e-6,
             static_cast<double>(Percentile(samples, 99)) * 1e-6, session->Tokens().size(),
             session->LastLogitsHash());
  return {};
}

Result<void> BenchPrefill(OpenedModel* model, const BenchSetting& setting) {
  const ModelConfig& config = model->pipeline->model();
  Title(*model, "prefill");
  fmt::print("{:>8}{:>12}{:>20}{:>18}\n", "tokens", "tokens/s", "min - max", "logits hash");
  for (const int64_t count : {int64_t{128}, int64_t{512}}) {
    if (count > config.max_position_embeddings) continue;
    HW_TRY(const auto session, NewSession(model, model->pipeline, count));
    const std::vector<int32_t> ids = MadeUpIds(count, config.vocab_size);
    std::vector<double> speeds;
    for (int round = 0; round <= setting.rounds; ++round) {
      session->Truncate(0);
      const uint64_t start = NowNs();
      HW_TRY_VOID(session->Append(ids));
      if (round > 0) speeds.push_back(static_cast<double>(count) / Seconds(NowNs() - start));
    }
    const Spread speed = measure::Summarise(speeds);
    fmt::print("{:>8}{:>12.1f}{:>20}{:>18}\n", count, speed.median,
               fmt::format("{:.1f} - {:.1f}", speed.min, speed.max),
               fmt::format("{:016x}", session->LastLogitsHash()));
  }
  return {};
}

Result<void> BenchBatch(OpenedModel* model, const BenchSetting& setting) {
  const ModelConfig& config = model->pipeline->model();
  const std::vector<int64_t> widths = {1, 2, 4, 8};
  HW_TRY(const auto session, NewSession(model, model->pipeline, setting.context + 8));
  const std::vector<int32_t> ids = MadeUpIds(setting.context + 8, config.vocab_size);
  const std::span<const int32_t> all(ids);
  const auto context = static_cast<size_t>(setting.context);
  Result<void> failure;
  uint64_t hash = 0;
  std::vector<std::function<double()>> variants;
  variants.reserve(widths.size());
  for (const int64_t width : widths) {
    variants.emplace_back([&, width] {
      // The first `context` tokens stay cached; Truncate() makes the last of them run again,
      // outside the clock.
      session->Truncate(setting.context);
      if (session->Tokens().empty()) failure = session->Append(all.first(context));
      if (const auto logits = session->Logits(); !logits)
        failure = tl::unexpected<Error>(logits.error());
      const uint64_t start = NowNs();
      const Result<void> step = session->AppendWithLogits(
          all.subspan(context, static_cast<size_t>(width)), [](int64_t, std::span<const float>) {});
      const double ms = Seconds(NowNs() - start) * 1e3;
      if (!step) failure = step;
      return ms;
    });
  }
  const auto results = measure::MeasureInTurns(variants, 2 * setting.rounds, 1);
  if (!failure) return failure;
  hash = session->LastLogitsHash();
  Title(*model, "batch (one step of several tokens, logits of each)");
  fmt::print("{:>8}{:>12}{:>14}{:>20}\n", "tokens", "ms a step", "against one", "95 % interval");
  for (size_t i = 0; i < widths.size(); ++i) {
    const Spread& ratio = results[i].ratio_to_first;
    fmt::print("{:>8}{:>12.3f}{:>14.3f}{:>20}\n", widths[i], results[i].value.median, ratio.median,
               fmt::format("{:.3f} - {:.3f}", ratio.low, ratio.high));
  }
  fmt::print("logits hash {:016x}\n", hash);
  return {};
}

Result<void> BenchHeads(OpenedModel* model, const BenchSetting& setting,
                        measure::ReadBandwidth* bandwidth) {
  const Manifest& manifest = model->pipeline->manifest();
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<std::function<double()>> variants;
  std::vector<double> reduce_share(manifest.heads.size(), 0.0);
  Result<void> failure;
  sessions.reserve(manifest.heads.size());
  variants.reserve(manifest.heads.size());
  for (size_t h = 0; h < manifest.heads.size(); ++h) {
    HW_TRY(auto pipeline, Pipeline::Open(model->pipeline->Directory(), model->backend.get(),
                                         manifest.heads[h].kind, false));
    HW_TRY(auto session, NewSession(model, std::move(pipeline),
                                    setting.context + (2 * setting.rounds + 2) * setting.tokens));
    HW_TRY_VOID(session->Append(MadeUpIds(setting.context, manifest.model.vocab_size)));
    Session* raw = session.get();
    sessions.push_back(std::move(session));
    variants.emplace_back([&, raw, h] {
      const Counters before = raw->GetCounters();
      for (int64_t i = 0; i < setting.tokens; ++i) {
        if (const auto choice = raw->Decode(); !choice)
          failure = tl::unexpected<Error>(choice.error());
      }
      const Counters& after = raw->GetCounters();
      const double head_ns = static_cast<double>(after.head_ns - before.head_ns);
      reduce_share[h] = static_cast<double>(after.head_reduce_ns - before.head_reduce_ns) / head_ns;
      return head_ns * 1e-6 / static_cast<double>(after.steps - before.steps);
    });
  }
  const double floor = bandwidth->Measure(model->pool.get());
  const auto results = measure::MeasureInTurns(variants, 2 * setting.rounds, 1);
  if (!failure) return failure;
  Title(*model, "head");
  fmt::print("{:<14}{:>12}{:>14}{:>20}{:>12}{:>12}{:>18}\n", "head", "ms a token", "to the first",
             "95 % interval", "memory", "reduction", "logits hash");
  for (size_t h = 0; h < results.size(); ++h) {
    uint64_t bytes = 0;
    for (const HeadShard& shard : manifest.heads[h].shards) bytes += shard.file.bytes;
    const Spread& ratio = results[h].ratio_to_first;
    fmt::print("{:<14}{:>12.3f}{:>14.3f}{:>20}{:>10.0f} %{:>10.2f} %{:>18}\n",
               manifest.heads[h].kind, results[h].value.median, ratio.median,
               fmt::format("{:.3f} - {:.3f}", ratio.low, ratio.high),
               100.0 * static_cast<double>(bytes) / (results[h].value.median * 1e-3) / floor,
               100.0 * reduce_share[h], fmt::format("{:016x}", sessions[h]->LastLogitsHash()));
  }
  return {};
}

Result<void> BenchSampling(OpenedModel* model, const BenchSetting& setting) {
  const ModelConfig& config = model->pipeline->model();
  HW_TRY(const auto session, NewSession(model, model->pipeline, setting.context + 1));
  HW_TRY_VOID(session->Append(MadeUpIds(setting.context, config.vocab_size)));
  HW_TRY(const std::span<const float> row, session->Logits());
  const std::vector<float> logits(row.begin(), row.end());
  std::vector<float> work(logits);
  SamplingParams whole;
  whole.temperature = 1.0F;
  SamplingParams nucleus = whole;
  nucleus.top_p = 0.95F;
  SamplingParams top40 = whole;
  top40.top_k = 40;
  const std::vector<std::pair<const char*, SamplingParams>> kinds = {
      {"greedy", SamplingParams{}},
      {"temp 1", whole},
      {"temp 1, top-p 0.95", nucleus},
      {"temp 1, top-k 40", top40}};
  std::vector<std::unique_ptr<sampling::Sampler>> samplers;
  samplers.reserve(kinds.size());
  std::vector<std::function<double()>> variants;
  for (const auto& kind : kinds) {
    samplers.push_back(std::make_unique<sampling::Sampler>(kind.second, config.vocab_size,
                                                           model->kernels->kernels, *model->pool));
    variants.emplace_back([&, sampler = samplers.back().get()] {
      constexpr int kRepeats = 20;
      uint64_t ns = 0;
      for (int i = 0; i < kRepeats; ++i) {
        std::copy(logits.begin(), logits.end(), work.begin());  // a sampler may change them
        const uint64_t start = NowNs();
        sampler->Sample(work, static_cast<uint64_t>(i), session->Tokens());
        ns += NowNs() - start;
      }
      return Seconds(ns) * 1e3 / kRepeats;
    });
  }
  const auto results = measure::MeasureInTurns(variants, 2 * setting.rounds, 1);
  Title(*model, fmt::format("sampling over {} tokens", config.vocab_size));
  fmt::print("{:<22}{:>12}{:>18}{:>22}\n", "selection", "ms a token", "min - max",
             "more than greedy, ms");
  for (size_t i = 0; i < kinds.size(); ++i) {
    const Spread& v = results[i].value;
    fmt::print("{:<22}{:>12.3f}{:>18}{:>22.3f}\n", kinds[i].first, v.median,
               fmt::format("{:.3f} - {:.3f}", v.min, v.max), v.median - results[0].value.median);
  }
  return {};
}

}  // namespace headway::cli
