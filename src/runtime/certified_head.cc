#include "runtime/certified_head.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/clock.h"

namespace headway {
namespace {

// Hidden states that are screened in one pass: a token and drafts.
constexpr int64_t kScreenedStates = 4;
// Rows of a grammar's list that cost less than this share of a full pass are computed without
// screening.
constexpr double kFewShare = 0.12;

}  // namespace

// The head's shards, strip by strip.
class CertifiedHead::Rows final : public lmhead::ExactRows {
 public:
  Rows(Pipeline* pipeline, std::vector<State>* states)
      : head_(pipeline->Head()),
        states_(*states),
        strip_rows_(head_.shards.front()->StripRows()),
        num_rows_(pipeline->model().vocab_size) {
    for (const auto& shard : head_.shards) full_bytes_ += shard->WeightBytes();
  }

  int64_t StripOf(int64_t row) const override { return row / strip_rows_; }
  int64_t StripBytes() const override { return full_bytes_ * strip_rows_ / num_rows_; }
  int64_t FullBytes() const override { return full_bytes_; }
  void Compute(int64_t strip, int64_t state, float* logits) noexcept override {
    // Shards begin at multiples of a strip's rows (partition::kHeadRowGranule).
    const int64_t row = strip * strip_rows_;
    const auto after = std::upper_bound(
        head_.specs.begin(), head_.specs.end(), row,
        [](int64_t value, const HeadShard& shard) { return value < shard.vocab_start; });
    const auto index = static_cast<size_t>(after - head_.specs.begin()) - 1;
    const int64_t first = head_.specs[index].vocab_start;
    head_.shards[index]->ComputeStrip(states_[static_cast<size_t>(state)].input,
                                      (row - first) / strip_rows_, logits + first);
  }

 private:
  const LoadedHead& head_;
  const std::vector<State>& states_;
  const int64_t strip_rows_;
  const int64_t num_rows_;
  int64_t full_bytes_ = 0;
};

// The signs of all shards' rows, multiplied by the device.
class CertifiedHead::Signs final : public lmhead::DeviceSigns {
 public:
  explicit Signs(Pipeline* pipeline)
      : head_(pipeline->Head()), num_rows_(pipeline->model().vocab_size) {}

  void Estimate(const float* rotated, int64_t num_states, float* estimates) noexcept override {
    for (size_t i = 0; i < head_.shards.size(); ++i) {
      head_.shards[i]->EstimateRows(rotated, num_states, estimates + head_.specs[i].vocab_start,
                                    num_rows_);
    }
  }
  int64_t Bytes() const override {
    int64_t bytes = 0;
    for (const auto& shard : head_.shards) bytes += shard->EstimateBytes();
    return bytes;
  }

 private:
  const LoadedHead& head_;
  const int64_t num_rows_;
};

CertifiedHead::CertifiedHead(Pipeline* pipeline, const kernels::KernelSet& kernels,
                             std::unique_ptr<FullHead> full, sampling::Sampler* sampler,
                             const CertifiedOptions& options)
    : pipeline_(pipeline),
      kernels_(kernels),
      full_(std::move(full)),
      options_(options),
      goal_(sampling::SparseGoalOf(sampler->Params(), pipeline->model().vocab_size)),
      sparse_(sampler->Params(), pipeline->model().vocab_size, kernels) {
  if (!sparse_.Allowed().empty()) {
    const auto allowed = static_cast<int64_t>(sparse_.Allowed().size());
    goal_.keep = std::min(goal_.keep, allowed);
  }
  uncounted_.head_shard_ns.assign(pipeline->Head().shards.size(), 0);
  entries_.reserve(static_cast<size_t>(pipeline->model().vocab_size));
  if (goal_.winner_first) {
    winner_ids_.reserve(static_cast<size_t>(pipeline->model().vocab_size));
    winner_logits_.reserve(winner_ids_.capacity());
  }
}

CertifiedHead::~CertifiedHead() = default;

Result<std::unique_ptr<CertifiedHead>> CertifiedHead::Create(Pipeline* pipeline, ThreadPool* pool,
                                                             const kernels::KernelSet& kernels,
                                                             std::unique_ptr<FullHead> full,
                                                             sampling::Sampler* sampler,
                                                             const CertifiedOptions& options) {
  const LoadedHead& head = pipeline->Head();
  if (!head.planes || head.shards.front()->StripRows() == 0) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("head {}: expected rows that can be computed one by one, found none on "
                            "this device",
                            head.kind));
  }
  lmhead::SearchOptions search{
      .certificate = options.mode, .noise_key = 0, .device_or_null = nullptr};
  if (::getrandom(&search.noise_key, sizeof search.noise_key, 0) !=
      static_cast<ssize_t>(sizeof search.noise_key)) {
    return Fail(ErrorCode::kIo, "certified head: no random numbers from the system");
  }
  std::unique_ptr<CertifiedHead> certified(
      new CertifiedHead(pipeline, kernels, std::move(full), sampler, options));
  static_assert(kScreenedStates <= kernels::kMaxScreenTokens);
  const int64_t states = std::min(kScreenedStates, certified->full_->MaxStates());
  for (int64_t i = 0; i < states; ++i) {
    certified->states_.push_back(
        {.shard_state = head.shards.front()->NewState(1),
         .scratch = AlignedBuffer(static_cast<size_t>(head.shards.front()->ScratchBytes())),
         .input = {}});
  }
  certified->multiplied_ =
      AlignedBuffer(static_cast<size_t>(states * pipeline->model().hidden_size) * sizeof(float));
  if (head.first != nullptr) {
    certified->first_state_ = head.first->NewState(1);
    certified->first_logits_ =
        AlignedBuffer(static_cast<size_t>(states) * head.first_ids.size() * sizeof(float));
  }
  certified->rows_ = std::make_unique<Rows>(pipeline, &certified->states_);
  if (head.shards.front()->EstimateBytes() > 0) {
    certified->signs_ = std::make_unique<Signs>(pipeline);
    search.device_or_null = certified->signs_.get();
  }
  certified->search_ = std::make_unique<lmhead::Search>(&*head.planes, certified->rows_.get(),
                                                        kernels, pool, states, search);
  return certified;
}

Result<void> CertifiedHead::Begin(const HeadStep& step, Counters* counters) {
  step_ = step;
  const bool too_many = step.num_states > static_cast<int64_t>(states_.size());
  const auto vocab_size = static_cast<double>(pipeline_->model().vocab_size);
  const bool few =
      !step.masks.empty() && static_cast<double>(full_->RowsFor(step)) < kFewShare * vocab_size;
  full_pass_ = too_many || few;
  if (full_pass_) {
    counters->head_fallbacks += few ? 0U : 1U;
    return full_->Begin(step, counters);
  }
  screened_ = false;
  if (!goal_.possible || step.want_logprobs) return {};
  ComputeFirstRows(step, counters);
  Screen(step, counters);
  return {};
}

int64_t CertifiedHead::ScratchBytes() const {
  const Executable* first = pipeline_->Head().first.get();
  return first == nullptr ? full_->ScratchBytes()
                          : std::max(full_->ScratchBytes(), first->ScratchBytes());
}

void CertifiedHead::ComputeFirstRows(const HeadStep& step, Counters* counters) {
  if (first_state_ == nullptr) return;
  const uint64_t start = NowNs();
  LoadedHead& head = pipeline_->Head();
  const auto count = static_cast<int64_t>(head.first_ids.size());
  head.first->Run({.num_tokens = step.num_states,
                   .first_position = 0,
                   .input = step.hidden,
                   .output = first_logits_.Pointer<float>(),
                   .output_stride = count,
                   .rotary_cos = nullptr,
                   .rotary_sin = nullptr,
                   .scratch = step.scratch},
                  first_state_.get());
  const uint64_t ns = NowNs() - start;
  counters->head_predict_ns += ns;
  counters->head_predict_shard_work_ns += ns;
  counters->head_bytes_read += static_cast<uint64_t>(head.first->WeightBytes());
  counters->head_rows_computed += static_cast<uint64_t>(count * step.num_states);
}

void CertifiedHead::Screen(const HeadStep& step, Counters* counters) {
  const uint64_t start = NowNs();
  const int64_t D = pipeline_->model().hidden_size;
  for (int64_t t = 0; t < step.num_states; ++t) {
    State& state = states_[static_cast<size_t>(t)];
    state.input = pipeline_->Head().shards.front()->RunToProduct(
        {.num_tokens = 1,
         .first_position = 0,
         .input = step.hidden + t * D,
         .output = nullptr,
         .output_stride = 0,
         .rotary_cos = nullptr,
         .rotary_sin = nullptr,
         .scratch = state.scratch.data()},
        state.shard_state.get(), multiplied_.Pointer<float>() + t * D);
  }
  const auto allowed = static_cast<int64_t>(sparse_.Allowed().size());
  if (allowed == 0 || !step.masks.empty() || !search_->IsFew(allowed)) {
    search_->Screen(multiplied_.Pointer<float>(), step.num_states, goal_.num_winners);
    screened_ = true;
    // One pass over the signs serves all states.
    counters->head_bytes_read += static_cast<uint64_t>(search_->ScreenBytes());
    ++counters->head_planes_read;
  }
  counters->head_predict_ns += NowNs() - start;
}

// What a state's search must find, as far as the parameters tell; nothing when a known logit is not
// finite, which is the full head's to report.
std::optional<lmhead::SearchGoal> CertifiedHead::GoalOf(int64_t state, uint64_t position) const {
  const sampling::SamplingParams& params = sparse_.Params();
  lmhead::SearchGoal goal{.keep = goal_.keep,
                          .margin = goal_.margin,
                          .at_least = {},
                          .perturbed = goal_.perturbed,
                          .inverse_temperature = goal_.perturbed ? 1.0F / params.temperature : 1.0F,
                          .seed = params.seed,
                          .position = position,
                          .changed = sparse_.Changed(),
                          .change = nullptr,
                          .allowed = sparse_.Allowed()};
  if (!step_.masks.empty()) {
    const grammar::TokenMask& mask = *step_.masks[static_cast<size_t>(state)];
    goal.keep = std::min(goal.keep, mask.count);
    goal.mask = mask.bits;
  }
  if (first_state_ != nullptr) {
    goal.known_ids = pipeline_->Head().first_ids;
    const size_t count = goal.known_ids.size();
    goal.known_logits = std::span<const float>(
        first_logits_.Pointer<float>() + static_cast<size_t>(state) * count, count);
    if (!kernels_.all_finite(goal.known_logits.data(), static_cast<int64_t>(count))) return {};
  }
  const sampling::SparseSampler* sparse = &sparse_;
  goal.change = [sparse](int32_t id, float logit) { return sparse->Change(id, logit); };
  return goal;
}

// What `choose` makes of the rows found, timed as selection; nothing when a logit is not finite.
template <typename Chooser>
auto CertifiedHead::ChooseAmongFound(int64_t state, const Chooser& choose)
    -> std::optional<decltype(choose())> {
  const uint64_t start = NowNs();
  std::optional<decltype(choose())> chosen;
  if (Fill(state, search_->Found())) chosen = choose();
  reduce_ns_ += NowNs() - start;
  return chosen;
}

// The certified choice, or nothing: the full head must choose.
std::optional<sampling::Sampler::Choice> CertifiedHead::Search(int64_t state, uint64_t position,
                                                               lmhead::SearchEvidence* evidence) {
  if (!screened_) {
    *evidence = search_->Evaluate(state, sparse_.Allowed());
    return ChooseAmongFound(state, [&] { return sparse_.Choose(entries_, position); });
  }
  std::optional<lmhead::SearchGoal> goal = GoalOf(state, position);
  if (!goal) return {};
  if (goal_.winner_first) {
    bool decided = true;
    const auto choice = SearchWinnerFirst(state, *goal, evidence, &decided);
    if (choice || !decided) return choice;
  }
  AddEvidence(search_->Decide(state, *goal), evidence);
  if (!evidence->decided) return {};
  return ChooseAmongFound(state, [&] { return sparse_.Choose(entries_, position); });
}

// Top-k, winner first: the best perturbed value of all rows, and whether fewer than k rows have a
// larger logit. Nothing when it is not among the best k, or (not `decided`) when this cannot be
// told for less than a full pass.
std::optional<sampling::Sampler::Choice> CertifiedHead::SearchWinnerFirst(
    int64_t state, lmhead::SearchGoal goal, lmhead::SearchEvidence* evidence, bool* decided) {
  *decided = false;
  goal.keep = 1;
  goal.perturbed = true;
  goal.inverse_temperature = 1.0F / sparse_.Params().temperature;
  AddEvidence(search_->Decide(state, goal), evidence);
  if (!evidence->decided) return {};
  const auto choice =
      ChooseAmongFound(state, [&] { return sparse_.ChooseUnfiltered(entries_, goal.position); });
  if (!choice) return {};

  if (goal.known_ids.empty()) {  // what the first search computed need not be computed again
    winner_ids_.clear();
    winner_logits_.clear();
    for (const lmhead::Candidate& row : search_->Found()) {
      winner_ids_.push_back(row.id);
      winner_logits_.push_back(row.logit);
    }
    goal.known_ids = winner_ids_;
    goal.known_logits = winner_logits_;
  }
  goal.perturbed = false;
  goal.inverse_temperature = 1.0F;
  goal.at_least = sparse_.Change(choice->token, choice->logit);
  AddEvidence(search_->Decide(state, goal), evidence);
  if (!evidence->decided) return {};
  const auto kept = ChooseAmongFound(state, [&] { return sparse_.Keeps(entries_, *choice); });
  *decided = kept.has_value();
  return kept.value_or(false) ? choice : std::nullopt;
}

// Counts one more search of the same screened state.
void CertifiedHead::AddEvidence(const lmhead::SearchEvidence& more,
                                lmhead::SearchEvidence* evidence) const {
  const bool is_first = evidence->rows_screened == 0;
  const auto screen = static_cast<uint64_t>(pipeline_->Head().planes->ScreenBytes());
  evidence->decided = more.decided;
  evidence->theta = more.theta;
  evidence->rows_screened = more.rows_screened;
  evidence->rows_refined += more.rows_refined;
  evidence->rows_exact += more.rows_exact;
  evidence->strips_exact += more.strips_exact;
  evidence->bytes_read += more.bytes_read - (is_first ? 0 : screen);
  evidence->planes_read = std::max(evidence->planes_read, more.planes_read);
}

// Copies the candidates that a grammar allows for the sampler; false when one is not finite.
bool CertifiedHead::Fill(int64_t state, std::span<const lmhead::Candidate> candidates) {
  const grammar::TokenMask* mask =
      step_.masks.empty() ? nullptr : step_.masks[static_cast<size_t>(state)];
  entries_.clear();
  for (const lmhead::Candidate& candidate : candidates) {
    if (!std::isfinite(candidate.logit)) return false;
    if (mask != nullptr && !mask->Allows(candidate.id)) continue;
    entries_.push_back({.id = candidate.id, .logit = candidate.logit});
  }
  return !entries_.empty();
}

bool CertifiedHead::IsUsable(int64_t state) const {
  if (full_pass_) return full_->IsUsable(state);
  const int64_t D = pipeline_->model().hidden_size;
  return kernels_.all_finite(step_.hidden + state * D, D);
}

Result<sampling::Sampler::Choice> CertifiedHead::Choose(int64_t state,
                                                        std::span<const int32_t> history,
                                                        Counters* counters) {
  if (full_pass_) {
    HW_TRY(const auto choice, full_->Choose(state, history, counters));
    certificate_ = {.token = choice.token, .fallback = true, .value = choice.logit};
    return choice;
  }
  ++num_choices_;
  certificate_ = {.deterministic = options_.mode.deterministic,
                  .delta = options_.mode.deterministic ? 0.0 : options_.mode.delta,
                  .assumption = pipeline_->Head().shards.front()->EstimateAssumption()};
  if (!goal_.possible || step_.want_logprobs) return ChooseFully(state, history, counters);

  const uint64_t position = static_cast<uint64_t>(step_.first_position + state);
  const uint64_t start = NowNs();
  sparse_.SetHistory(history);
  lmhead::SearchEvidence evidence;
  reduce_ns_ = 0;
  const std::optional<sampling::Sampler::Choice> choice = Search(state, position, &evidence);
  const uint64_t search_ns = NowNs() - start - reduce_ns_;
  counters->head_predict_ns += search_ns;
  counters->head_predict_shard_work_ns += search_ns;
  counters->head_reduce_ns += reduce_ns_;
  counters->head_bytes_read +=
      evidence.bytes_read - (screened_ ? static_cast<uint64_t>(search_->ScreenBytes()) : 0);
  counters->head_rows_screened += evidence.rows_screened;
  counters->head_rows_rescored += evidence.rows_exact;
  counters->head_planes_read += evidence.rows_refined > 0 ? 2 : 0;
  certificate_.theta = evidence.theta;
  certificate_.rows_screened = evidence.rows_screened;
  certificate_.rows_refined = evidence.rows_refined;
  certificate_.rows_exact = evidence.rows_exact;
  certificate_.bytes_read = evidence.bytes_read;
  counters->head_rest_needed += first_state_ != nullptr && evidence.rows_exact > 0 ? 1U : 0U;
  if (!choice) return ChooseFully(state, history, counters);

  certificate_.token = choice->token;
  certificate_.value = choice->logit;
  if (options_.audit_every > 0 && num_choices_ % static_cast<uint64_t>(options_.audit_every) == 0) {
    HW_TRY_VOID(Audit(state, history, *choice));
  }
  return *choice;
}

// The full head for one state of the step.
Result<sampling::Sampler::Choice> CertifiedHead::RunFull(int64_t state,
                                                         std::span<const int32_t> history,
                                                         Counters* counters) {
  HeadStep step = step_;
  step.hidden += state * pipeline_->model().hidden_size;
  step.num_states = 1;
  if (!step.masks.empty()) step.masks = step.masks.subspan(static_cast<size_t>(state), 1);
  step.first_position += state;
  HW_TRY_VOID(full_->Begin(step, counters));
  return full_->Choose(0, history, counters);
}

Result<sampling::Sampler::Choice> CertifiedHead::ChooseFully(int64_t state,
                                                             std::span<const int32_t> history,
                                                             Counters* counters) {
  const uint64_t read_before = counters->head_bytes_read;
  HW_TRY(const sampling::Sampler::Choice choice, RunFull(state, history, counters));
  ++counters->head_fallbacks;
  certificate_.fallback = true;
  certificate_.token = choice.token;
  certificate_.value = choice.logit;
  certificate_.bytes_read += counters->head_bytes_read - read_before;
  return choice;
}

Result<void> CertifiedHead::Audit(int64_t state, std::span<const int32_t> history,
                                  const sampling::Sampler::Choice& choice) {
  HW_TRY(const sampling::Sampler::Choice expected, RunFull(state, history, &uncounted_));
  certificate_.audited = true;
  if (expected.token == choice.token && expected.logit == choice.logit) return {};
  return Fail(
      ErrorCode::kGateFailed,
      fmt::format("audit: position {}: expected the full head's token {} (logit {}), found {} "
                  "(logit {}); certificate: {}, theta {}, {} rows refined, {} exact; the package's "
                  "planes may be damaged (--verify), or the hidden states depend on its rotation",
                  step_.first_position + state, expected.token, expected.logit, choice.token,
                  choice.logit, lmhead::ToString(options_.mode), certificate_.theta,
                  certificate_.rows_refined, certificate_.rows_exact));
}

}  // namespace headway
