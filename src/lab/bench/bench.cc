#include "lab/bench/bench.h"

#include <algorithm>
#include <array>

#include "lab/bench/table.h"

namespace headway::lab {
namespace {

struct Benchmark {
  const char* name;
  Result<BenchTable> (*run)(const Bench& bench);
  bool needs_bandwidth;  // which takes memory and time
};

constexpr std::array<Benchmark, 8> kBenchmarks = {{{"memory", BenchMemory, true},
                                                   {"chain", BenchChain, true},
                                                   {"prefill", BenchPrefill, false},
                                                   {"batch", BenchBatch, false},
                                                   {"speculate", BenchDrafts, false},
                                                   {"head", BenchHeads, true},
                                                   {"sampling", BenchSampling, false},
                                                   {"context", BenchContext, true}}};

}  // namespace

BenchTable NewTable(const Bench& bench, const char* name, const std::string& what,
                    std::vector<std::string> columns) {
  const ModelSummary& s = bench.model->summary;
  return {.name = name,
          .title = fmt::format("{}: {}, {} {}, {} thread{}, {:.0f} MB a token", what, s.name,
                               s.device, s.instruction_set, s.threads, s.threads == 1 ? "" : "s",
                               static_cast<double>(s.weight_bytes_per_token) * 1e-6),
          .columns = std::move(columns),
          .rows = {},
          .note = ""};
}

std::vector<int32_t> MadeUpIds(const Bench& bench, int64_t count) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<int32_t>((i * 7919 + 11) % bench.model->summary.vocab_size));
  return ids;
}

Result<std::unique_ptr<Session>> NewSession(const Bench& bench, std::shared_ptr<Executor> executor,
                                            int64_t capacity, const SamplingParams& sampling) {
  SessionOptions options;
  options.kv = bench.request.kv;
  options.sampling = sampling;
  options.capacity_tokens = std::min(capacity, bench.model->summary.context_tokens);
  return Session::Create(std::move(executor), std::move(options));
}

Result<std::unique_ptr<Session>> NewContext(const Bench& bench, int64_t capacity) {
  HW_TRY(auto session, NewSession(bench, bench.model->executor, capacity));
  HW_TRY_VOID(session->Append(MadeUpIds(bench, bench.request.context)));
  return session;
}

Result<void> CheckBench(const BenchRequest& request) {
  if (request.tokens < 1 || request.context < 1 || request.rounds < 1) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("bench: expected tokens, context and rounds of at least 1, found {}, {} and {}",
                    request.tokens, request.context, request.rounds));
  }
  std::string known;
  bool is_known = request.what == "all";
  for (const Benchmark& benchmark : kBenchmarks) {
    known += fmt::format("{}, ", benchmark.name);
    is_known = is_known || request.what == benchmark.name;
  }
  if (!is_known) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("bench: expected one of {}all, found '{}'", known, request.what));
  }
  const bool lookup = request.what == "speculate" && !request.prompt_file.empty();
  if (!request.sampled || request.IsOfCertifiedHead() || lookup) return {};
  return Fail(ErrorCode::kInvalidInput,
              "--sampled: expected bench head with --margin or --hidden, or bench speculate with "
              "--prompt-file, found neither");
}

Result<void> RunBench(const BenchRequest& request, OpenedModel* model,
                      const std::function<void(const BenchTable&)>& show) {
  std::optional<measure::ReadBandwidth> bandwidth;
  for (const Benchmark& benchmark : kBenchmarks) {
    if (request.what != "all" && request.what != benchmark.name) continue;
    auto* run = benchmark.run;
    bool needs_bandwidth = benchmark.needs_bandwidth;
    if (request.IsOfCertifiedHead()) {
      run = BenchCertifiedHead;
      needs_bandwidth = false;
    }
    if (run == BenchDrafts && !request.prompt_file.empty() && request.what != "all")
      run = BenchLookup;
    if (needs_bandwidth && !bandwidth) bandwidth.emplace(measure::kBandwidthBytes);
    HW_TRY(const BenchTable table, run({.request = request,
                                        .model = model,
                                        .bandwidth = needs_bandwidth ? &*bandwidth : nullptr}));
    show(table);
  }
  return {};
}

}  // namespace headway::lab
