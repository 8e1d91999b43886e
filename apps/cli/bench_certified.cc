// headway bench head --margin, --hidden: the certified head against the full head on the same
// hidden states, in turns.

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>

#include "base/clock.h"
#include "base/mapped_file.h"
#include "bench_common.h"
#include "bench_tables.h"
#include "engine/full_head.h"
#include "engine/make_head.h"
#include "lab/measure/turns.h"

namespace headway::cli {
namespace {

using measure::Spread;

constexpr int64_t kBatch = 4;

// States [count, D] before the norm whose winner stands `margin` sigma above the bulk: a random
// direction without share of the row, plus the row's. 0: a random direction.
std::vector<float> DrawStates(OpenedModel* model, double margin, int64_t count) {
  const ModelConfig& config = model->pipeline->model();
  const auto D = static_cast<size_t>(config.hidden_size);
  std::mt19937_64 random(static_cast<uint64_t>(1000.0 * margin) + 1);
  std::normal_distribution<double> normal;
  std::vector<float> states;
  std::vector<float> row(D);
  std::vector<double> state(D);
  for (int64_t i = 0; i < count; ++i) {
    const auto id = static_cast<int64_t>(random() % static_cast<uint64_t>(config.vocab_size));
    LoadedHead& head = model->pipeline->Head();
    size_t shard = 0;
    while (head.specs[shard].vocab_end <= id) ++shard;
    head.shards[shard]->ReadRow(id - head.specs[shard].vocab_start, row.data());
    double squares = 1e-30;
    double dot = 0.0;
    for (size_t c = 0; c < D; ++c) {
      state[c] = normal(random);
      squares += static_cast<double>(row[c]) * row[c];
      dot += state[c] * row[c];
    }
    const double share = margin > 0.0 ? margin / std::sqrt(squares) - dot / squares : 0.0;
    for (size_t c = 0; c < D; ++c) states.push_back(static_cast<float>(state[c] + share * row[c]));
  }
  return states;
}

Result<std::vector<float>> ReadStates(const std::string& path, int64_t D, int64_t count) {
  HW_TRY(const MappedFile file, MappedFile::Open(path));
  const auto state_bytes = static_cast<size_t>(D) * sizeof(float);
  if (file.Bytes().empty() || file.Bytes().size() % state_bytes != 0) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("{}: expected hidden states of {} binary32 numbers each, found {} bytes", path,
                    D, file.Bytes().size()));
  }
  const size_t found = std::min(file.Bytes().size() / state_bytes, static_cast<size_t>(count));
  std::vector<float> states(found * static_cast<size_t>(D));
  std::memcpy(states.data(), file.Bytes().data(), found * state_bytes);
  return states;
}

// Both heads on one set of states.
class Contest {
 public:
  static Result<std::unique_ptr<Contest>> Create(OpenedModel* model, const SamplingParams& params) {
    std::unique_ptr<Contest> contest(new Contest(model, params));
    HW_TRY(contest->certified_,
           MakeHead(model->pipeline.get(), model->pool.get(), model->kernels->kernels));
    return contest;
  }

  // Milliseconds a state.
  double RunFull(std::span<const float> states) {
    return Time(states, [&](const float* hidden, int64_t i) {
      Run(&full_, hidden, 1, i, &full_counters_);
    });
  }
  double RunCertified(std::span<const float> states) {
    return Time(states, [&](const float* hidden, int64_t i) {
      Run(certified_.get(), hidden, 1, i, &counters_);
      ++choices_;
    });
  }
  double RunBatches(std::span<const float> states) {
    const auto D = static_cast<size_t>(num_channels_);
    const int64_t whole = static_cast<int64_t>(states.size() / D) / kBatch * kBatch;
    return Time(states.first(static_cast<size_t>(whole) * D), [&](const float* hidden, int64_t i) {
      if (i % kBatch == 0) Run(certified_.get(), hidden, kBatch, i, &batch_counters_);
    });
  }

  const Counters& CertifiedCounters() const { return counters_; }
  uint64_t Choices() const { return choices_; }
  const Result<void>& Outcome() const { return outcome_; }

 private:
  Contest(OpenedModel* model, const SamplingParams& params)
      : num_channels_(model->pipeline->model().hidden_size),
        rules_({.sampling = params}, *model->pipeline, model->kernels->kernels, model->pool.get()),
        full_(model->pipeline.get(), model->kernels->kernels, 1) {
    counters_.head_shard_ns.assign(model->pipeline->Head().shards.size(), 0);
    full_counters_ = counters_;
    batch_counters_ = counters_;
  }

  template <class F>
  double Time(std::span<const float> states, const F& step) {
    const int64_t count = static_cast<int64_t>(states.size()) / num_channels_;
    tokens_.resize(std::max(tokens_.size(), static_cast<size_t>(count)), -1);
    const uint64_t start = NowNs();
    for (int64_t i = 0; i < count; ++i) step(states.data() + i * num_channels_, i);
    return static_cast<double>(NowNs() - start) * 1e-6 / static_cast<double>(count);
  }

  // Lets a head choose from states number `index` and following.
  void Run(Head* head, const float* hidden, int64_t num_states, int64_t index, Counters* counters) {
    std::array<HeadState, kBatch> states;
    for (int64_t t = 0; t < num_states; ++t)
      states[static_cast<size_t>(t)] = {.rules = &rules_, .position = 1 + index + t};
    head->Begin(
        {.hidden = hidden, .states = std::span(states).first(static_cast<size_t>(num_states))},
        counters);
    if (const auto good = head->CheckState(0); !good) outcome_ = good;
    for (int64_t t = 0; outcome_ && t < num_states; ++t) {
      const auto choice = head->Choose(t, {}, counters);
      if (!choice) {
        outcome_ = tl::unexpected<Error>(choice.error());
      } else {
        Note(index + t, choice->token);
      }
    }
  }

  // The first to choose says what the others must choose.
  void Note(int64_t index, int32_t token) {
    int32_t& known = tokens_[static_cast<size_t>(index)];
    if (known < 0) known = token;
    if (known == token || !outcome_) return;
    outcome_ = Fail(
        ErrorCode::kGateFailed,
        fmt::format("state {}: expected token {} from every head, found {}", index, known, token));
  }

  const int64_t num_channels_;
  ChoiceRules rules_;
  FullHead full_;
  std::unique_ptr<Head> certified_;
  Counters counters_;  // of single states
  Counters batch_counters_;
  Counters full_counters_;
  std::vector<int32_t> tokens_;
  uint64_t choices_ = 0;
  Result<void> outcome_;
};

Result<void> BenchStates(OpenedModel* model, const BenchSetting& setting, const std::string& name,
                         const std::vector<float>& states, const SamplingParams& params) {
  HW_TRY(const auto contest, Contest::Create(model, params));
  const auto results = measure::MeasureInTurns(
      {[&] { return contest->RunFull(states); }, [&] { return contest->RunCertified(states); },
       [&] { return contest->RunBatches(states); }},
      setting.rounds, 1);
  if (!contest->Outcome()) return contest->Outcome();
  const Counters& counters = contest->CertifiedCounters();
  const auto choices = static_cast<double>(contest->Choices());
  const ModelConfig& config = model->pipeline->model();
  const double int8 =
      static_cast<double>(config.vocab_size) * static_cast<double>(config.hidden_size);
  const Spread& full = results[0].value;
  const Spread& certified = results[1].value;
  const Spread& ratio = results[1].ratio_to_first;
  const double bytes = static_cast<double>(counters.head_bytes_read) / choices / int8;
  Say(setting, "{:<22}{:>10.3f}{:>12.3f}{:>10.2f}{:>16}{:>12.2f}{:>10.3f}{:>10.1f}{:>10.2f}\n",
      name, full.median, certified.median, 1.0 / ratio.median,
      fmt::format("{:.2f} - {:.2f}", 1.0 / ratio.high, 1.0 / ratio.low),
      1.0 / results[2].ratio_to_first.median, bytes,
      static_cast<double>(counters.head_rows_rescored) / choices,
      100.0 * static_cast<double>(counters.head_fallbacks) / choices);
  Keep(setting,
       {.table = "certified",
        .row = name,
        .figures = {{"full_ms", full.median},
                    {"certified_ms", certified.median},
                    {"speedup", 1.0 / ratio.median},
                    {"speedup_batch_4", 1.0 / results[2].ratio_to_first.median},
                    {"bytes_of_int8", bytes},
                    {"rows_exact", static_cast<double>(counters.head_rows_rescored) / choices},
                    {"fallbacks", static_cast<double>(counters.head_fallbacks) / choices}},
        .logits_hash = ""});
  return {};
}

struct NamedStates {
  std::string name;
  std::vector<float> states;
  bool drawn;  // else of a trained model
};

// What temperatures mean depends on the logits' scale: those for drawn states are scaled as if
// logits deviated by this much from their mean. An assumption; the replay of a trained model
// (tests/agreement) prints its figure.
constexpr double kAssumedDeviation = 3.0;

std::vector<std::pair<std::string, SamplingParams>> SampledWays(double scale) {
  const auto at = [scale](double temperature, int top_k) {
    SamplingParams params;
    params.temperature = static_cast<float>(temperature * scale);
    params.top_k = top_k;
    params.seed = 1;
    return params;
  };
  return {{"T 0.8", at(0.8, 0)}, {"T 1", at(1.0, 0)}, {"T 1, top-k 40", at(1.0, 40)}};
}

// Of the first state, over the vocabulary.
Result<double> DeviationOfLogits(OpenedModel* model, const std::vector<float>& states) {
  FullHead full(model->pipeline.get(), model->kernels->kernels, 1);
  Counters counters;
  counters.head_shard_ns.assign(model->pipeline->Head().shards.size(), 0);
  HW_TRY(const auto logits, full.Logits(states.data(), 1, 0, &counters));
  double sum = 0.0;
  double squares = 0.0;
  for (const float logit : logits) {
    sum += logit;
    squares += static_cast<double>(logit) * logit;
  }
  const auto n = static_cast<double>(logits.size());
  return std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n)));
}

}  // namespace

Result<void> BenchCertified(OpenedModel* model, const BenchSetting& setting,
                            const std::vector<double>& margins, const std::string& hidden,
                            bool sampled) {
  if (!model->pipeline->Head().planes) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("bench head: expected a package with a certified head, found {}",
                            model->pipeline->Head().kind));
  }
  Title(setting, *model, "certified head against full head");
  Say(setting, "{:<22}{:>10}{:>12}{:>10}{:>16}{:>12}{:>10}{:>10}{:>10}\n", "states", "full ms",
      "certified", "speedup", "95 % interval", "batch of 4", "of int8", "exact", "fallback%");
  std::vector<NamedStates> sets;
  sets.reserve(margins.size() + 1);
  for (const double margin : margins) {
    sets.push_back({.name = margin > 0.0 ? fmt::format("M = {}", margin) : "iid",
                    .states = DrawStates(model, margin, setting.tokens),
                    .drawn = true});
  }
  if (!hidden.empty()) {
    HW_TRY(auto states, ReadStates(hidden, model->pipeline->model().hidden_size, setting.tokens));
    sets.push_back({.name = "file", .states = std::move(states), .drawn = false});
  }
  for (const NamedStates& set : sets) {
    HW_TRY_VOID(BenchStates(model, setting, set.name, set.states, {}));
  }
  if (!sampled) return {};
  for (const NamedStates& set : sets) {
    HW_TRY(const double deviation, DeviationOfLogits(model, set.states));
    for (const auto& [name, params] :
         SampledWays(set.drawn ? deviation / kAssumedDeviation : 1.0)) {
      HW_TRY_VOID(
          BenchStates(model, setting, fmt::format("{}, {}", set.name, name), set.states, params));
    }
  }
  return {};
}

}  // namespace headway::cli
