#include "engine/certified_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "engine/full_head.h"
#include "engine/head.h"

namespace headway {
namespace {

// Hidden states that are screened in one pass: a token and drafts.
constexpr int64_t kScreenedStates = 4;
static_assert(kScreenedStates <= kernels::kMaxScreenTokens);
// Rows of a grammar's list that cost less than this share of a full pass are computed without
// screening.
constexpr double kFewShare = 0.12;

bool HasSwitched(const ChoiceRules& rules) {
  return rules.certified.may_switch && rules.fallbacks.Exceeded();
}

bool CanSearch(const ChoiceRules& rules) { return rules.goal.possible && !rules.want_logprobs; }

}  // namespace

Result<std::unique_ptr<CertifiedHead>> CertifiedHead::Create(Pipeline* pipeline, ThreadPool* pool,
                                                             const kernels::KernelSet& kernels,
                                                             std::unique_ptr<FullHead> full) {
  const LoadedHead& head = pipeline->Head();
  if (!head.planes || head.shards.front()->Strips() == nullptr) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("head {}: expected rows that can be computed one by one, found none on "
                            "this device",
                            head.kind));
  }
  const int64_t states = std::min(kScreenedStates, full->MaxStates());
  HW_TRY(auto search, CertifiedSearch::Create(pipeline, pool, kernels, states));
  return std::unique_ptr<CertifiedHead>(
      new CertifiedHead(pipeline, kernels, std::move(full), std::move(search)));
}

CertifiedHead::CertifiedHead(Pipeline* pipeline, const kernels::KernelSet& kernels,
                             std::unique_ptr<FullHead> full,
                             std::unique_ptr<CertifiedSearch> search)
    : pipeline_(pipeline), kernels_(kernels), full_(std::move(full)), search_(std::move(search)) {
  uncounted_.head_shard_ns.assign(pipeline->Head().shards.size(), 0);
}

bool CertifiedHead::AllowsFew(std::span<const HeadState> states) const {
  const auto vocab_size = static_cast<double>(pipeline_->model().vocab_size);
  return states.front().mask != nullptr &&
         static_cast<double>(full_->RowsFor(states)) < kFewShare * vocab_size;
}

int64_t CertifiedHead::SharedStates(std::span<const HeadState> states) {
  const bool screens = static_cast<int64_t>(states.size()) <= search_->MaxStates() &&
                       CanSearch(*states.front().rules) && !HasSwitched(*states.front().rules) &&
                       search_->NeedsScreen(states) && !AllowsFew(states);
  return screens ? search_->MaxStates() : 0;
}

void CertifiedHead::Begin(const HeadStep& step, Counters* counters) {
  step_ = step;
  searched_ = {};
  const bool few = AllowsFew(step.states);
  switched_ = !few && HasSwitched(*step.states.front().rules);
  full_pass_ = few || switched_ || step.NumStates() > search_->MaxStates();
  if (full_pass_) {
    counters->head_fallbacks += few || switched_ ? 0U : 1U;
    full_->Begin(step, counters);
  } else if (CanSearch(*step.states.front().rules)) {
    searched_ = search_->Begin(step, counters);
  }
}

Result<void> CertifiedHead::CheckState(int64_t state) const {
  return full_pass_ ? full_->CheckState(state) : searched_;
}

bool CertifiedHead::IsUsable(int64_t state) const {
  if (full_pass_) return full_->IsUsable(state);
  const int64_t D = pipeline_->model().hidden_size;
  return searched_.has_value() && kernels_.all_finite(step_.hidden + state * D, D);
}

Result<sampling::Sampler::Choice> CertifiedHead::Choose(int64_t state,
                                                        std::span<const int32_t> history,
                                                        Counters* counters) {
  if (full_pass_) {
    HW_TRY(const auto choice, full_->Choose(state, history, counters));
    certificate_ = {.token = choice.token, .fallback = true, .value = choice.logit};
    counters->head_switched_to_full += switched_ ? 1U : 0U;
    return choice;
  }
  ChoiceRules& rules = *At(state).rules;
  const lmhead::CertificateMode& mode = rules.certified.mode;
  ++rules.num_searched;
  const SignScreen* const screen = pipeline_->Head().shards.front()->Screen();
  certificate_ = {.deterministic = mode.deterministic,
                  .delta = mode.deterministic ? 0.0 : mode.delta,
                  .assumption = screen == nullptr ? "" : screen->EstimateAssumption()};
  if (!CanSearch(rules)) return ChooseFully(state, history, counters);

  const uint64_t start = NowNs();
  const CertifiedSearch::Outcome outcome = search_->Choose(state, history);
  const uint64_t search_ns = NowNs() - start - outcome.reduce_ns;
  counters->head_predict_ns += search_ns;
  counters->head_predict_shard_work_ns += search_ns;
  counters->head_reduce_ns += outcome.reduce_ns;
  counters->head_winners_kept += outcome.kept_winner ? 1U : 0U;
  counters->head_winners_dropped += outcome.dropped_winner ? 1U : 0U;
  Count(outcome.evidence, counters);
  rules.fallbacks.Add(!outcome.choice);
  if (!outcome.choice) return ChooseFully(state, history, counters);

  certificate_.token = outcome.choice->token;
  certificate_.value = outcome.choice->logit;
  const auto every = static_cast<uint64_t>(rules.certified.audit_every);
  if (every > 0 && rules.num_searched % every == 0)
    HW_TRY_VOID(Audit(state, history, *outcome.choice));
  return *outcome.choice;
}

// Enters what a search did into counters and certificate.
void CertifiedHead::Count(const lmhead::SearchEvidence& evidence, Counters* counters) {
  counters->head_bytes_read += evidence.bytes_read - search_->SharedBytes();
  counters->head_rows_screened += evidence.rows_screened;
  counters->head_rows_rescored += evidence.rows_exact;
  counters->head_planes_read += evidence.rows_refined > 0 ? 1 : 0;
  counters->head_planes_read += evidence.rows_three_bits > 0 ? 1 : 0;
  counters->head_rest_needed += search_->HasFirstRows() && evidence.rows_exact > 0 ? 1U : 0U;
  certificate_.theta = evidence.theta;
  certificate_.rows_screened = evidence.rows_screened;
  certificate_.rows_refined = evidence.rows_refined;
  certificate_.rows_three_bits = evidence.rows_three_bits;
  certificate_.rows_exact = evidence.rows_exact;
  certificate_.bytes_read = evidence.bytes_read;
}

// The full head for one state of the step.
Result<sampling::Sampler::Choice> CertifiedHead::RunFull(int64_t state,
                                                         std::span<const int32_t> history,
                                                         Counters* counters) {
  full_->Begin({.hidden = step_.hidden + state * pipeline_->model().hidden_size,
                .states = step_.states.subspan(static_cast<size_t>(state), 1)},
               counters);
  HW_TRY_VOID(full_->CheckState(0));
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
                  At(state).position, expected.token, expected.logit, choice.token, choice.logit,
                  lmhead::ToString(At(state).rules->certified.mode), certificate_.theta,
                  certificate_.rows_refined, certificate_.rows_exact));
}

Result<std::unique_ptr<Head>> MakeHead(Pipeline* pipeline, ThreadPool* pool,
                                       const kernels::KernelSet& kernels) {
  auto full = std::make_unique<FullHead>(pipeline, kernels, kLogitsStates);
  if (!pipeline->Head().planes) return std::unique_ptr<Head>(std::move(full));
  HW_TRY(auto head, CertifiedHead::Create(pipeline, pool, kernels, std::move(full)));
  return std::unique_ptr<Head>(std::move(head));
}

}  // namespace headway
