// The certified head against the full head on the same hidden states, in turns.

#include <array>
#include <cmath>
#include <cstring>
#include <random>

#include "base/clock.h"
#include "base/mapped_file.h"
#include "engine/full_head.h"
#include "engine/head.h"
#include "lab/bench/table.h"

namespace headway::lab {
namespace {

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
    head.shards[shard]->Rows()->ReadRow(id - head.specs[shard].vocab_start, row.data());
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

  // Milliseconds a state. Errors: those of the heads; kGateFailed: another token than the first to
  // choose from the state chose.
  Result<double> RunFull(std::span<const float> states) {
    return Time(states, 1, &full_, &full_counters_);
  }
  Result<double> RunCertified(std::span<const float> states) {
    choices_ += states.size() / static_cast<size_t>(num_channels_);
    return Time(states, 1, certified_.get(), &counters_);
  }
  Result<double> RunBatches(std::span<const float> states) {
    const auto batch = static_cast<size_t>(kBatch * num_channels_);
    return Time(states.first(states.size() / batch * batch), kBatch, certified_.get(),
                &batch_counters_);
  }

  // Of single states, a choice.
  double ByTheCertifiedHead(uint64_t Counters::*field) const {
    return static_cast<double>(counters_.*field) / static_cast<double>(choices_);
  }

 private:
  Contest(OpenedModel* model, const SamplingParams& params)
      : num_channels_(model->pipeline->model().hidden_size),
        rules_({.sampling = params, .certified = {.mode = {}, .may_switch = false}},
               *model->pipeline, model->kernels->kernels, model->pool.get()),
        full_(model->pipeline.get(), model->kernels->kernels, 1) {
    counters_.head_shard_ns.assign(model->pipeline->Head().shards.size(), 0);
    full_counters_ = counters_;
    batch_counters_ = counters_;
  }

  Result<double> Time(std::span<const float> states, int64_t at_once, Head* head,
                      Counters* counters) {
    const int64_t count = static_cast<int64_t>(states.size()) / num_channels_;
    tokens_.resize(std::max(tokens_.size(), static_cast<size_t>(count)), -1);
    const uint64_t start = NowNs();
    for (int64_t i = 0; i < count; i += at_once)
      HW_TRY_VOID(Choose(head, states.data() + i * num_channels_, at_once, i, counters));
    return Seconds(NowNs() - start) * 1e3 / static_cast<double>(count);
  }

  // Lets a head choose from states number `index` and following.
  Result<void> Choose(Head* head, const float* hidden, int64_t num_states, int64_t index,
                      Counters* counters) {
    std::array<HeadState, kBatch> states;
    for (int64_t t = 0; t < num_states; ++t)
      states[static_cast<size_t>(t)] = {.rules = &rules_, .position = 1 + index + t};
    head->Begin(
        {.hidden = hidden, .states = std::span(states).first(static_cast<size_t>(num_states))},
        counters);
    HW_TRY_VOID(head->CheckState(0));
    for (int64_t t = 0; t < num_states; ++t) {
      HW_TRY(const auto choice, head->Choose(t, {}, counters));
      int32_t& known = tokens_[static_cast<size_t>(index + t)];
      if (known < 0) known = choice.token;
      if (known != choice.token) {
        return Fail(ErrorCode::kGateFailed,
                    fmt::format("state {}: expected token {} from every head, found {}", index + t,
                                known, choice.token));
      }
    }
    return {};
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
};

Result<BenchRow> CompareHeads(const Bench& bench, const std::string& name,
                              const std::vector<float>& states, const SamplingParams& params) {
  HW_TRY(const auto contest, Contest::Create(bench.model, params));
  HW_TRY(const auto results, measure::MeasureInTurns({[&] { return contest->RunFull(states); },
                                                      [&] { return contest->RunCertified(states); },
                                                      [&] { return contest->RunBatches(states); }},
                                                     bench.request.rounds, 1));
  const ModelConfig& config = bench.model->pipeline->model();
  const double int8 =
      static_cast<double>(config.vocab_size) * static_cast<double>(config.hidden_size);
  const measure::Spread& ratio = results[1].ratio_to_first;
  const double fallbacks = contest->ByTheCertifiedHead(&Counters::head_fallbacks);
  BenchRow row{.name = name,
               .figures = {Number("full_ms", results[0].value.median, 3),
                           Number("certified_ms", results[1].value.median, 3)}};
  Add(Ratio("speedup", 1.0 / ratio.median, 1.0 / ratio.high, 1.0 / ratio.low, 2), &row);
  Add({Number("speedup_batch_4", 1.0 / results[2].ratio_to_first.median, 2),
       Number("bytes_of_int8", contest->ByTheCertifiedHead(&Counters::head_bytes_read) / int8, 3),
       Number("rows_exact", contest->ByTheCertifiedHead(&Counters::head_rows_rescored), 1),
       Unshown("fallbacks", fallbacks), Shown(fmt::format("{:.2f}", 100.0 * fallbacks))},
      &row);
  return row;
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

Result<BenchTable> BenchCertifiedHead(const Bench& bench) {
  const BenchRequest& request = bench.request;
  OpenedModel* const model = bench.model;
  if (!model->pipeline->Head().planes) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("bench head: expected a package with a certified head, found {}",
                            model->pipeline->Head().kind));
  }
  BenchTable table = NewTable(bench, "certified", "certified head against full head",
                              {"states", "full ms", "certified", "speedup", "95 % interval",
                               "batch of 4", "of int8", "exact", "fallback %"});
  std::vector<NamedStates> sets;
  sets.reserve(request.margins.size() + 1);
  for (const double margin : request.margins) {
    sets.push_back({.name = margin > 0.0 ? fmt::format("M = {}", margin) : "iid",
                    .states = DrawStates(model, margin, request.tokens),
                    .drawn = true});
  }
  if (!request.hidden.empty()) {
    HW_TRY(auto states,
           ReadStates(request.hidden, model->pipeline->model().hidden_size, request.tokens));
    sets.push_back({.name = "file", .states = std::move(states), .drawn = false});
  }
  for (const NamedStates& set : sets) {
    HW_TRY(BenchRow row, CompareHeads(bench, set.name, set.states, {}));
    table.rows.push_back(std::move(row));
  }
  if (!request.sampled) return table;
  for (const NamedStates& set : sets) {
    HW_TRY(const double deviation, DeviationOfLogits(model, set.states));
    for (const auto& [name, params] :
         SampledWays(set.drawn ? deviation / kAssumedDeviation : 1.0)) {
      HW_TRY(BenchRow row,
             CompareHeads(bench, fmt::format("{}, {}", set.name, name), set.states, params));
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

}  // namespace headway::lab
