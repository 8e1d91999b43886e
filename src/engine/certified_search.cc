#include "engine/certified_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "base/clock.h"
#include "engine/local_search.h"

namespace headway {
namespace {

// Top-p looks first for the rows down to the winner, but no more than so many nats below the best;
// where the mass found has to grow by no more than that factor for a decision, once more, so many
// nats deeper, for less than half a full pass.
constexpr float kNucleusDepth = 5.0F;
constexpr double kMostMissing = 1.5;
constexpr float kDeeper = 1.5F;
constexpr double kDeeperGiveUp = 0.5;

}  // namespace

Result<std::unique_ptr<CertifiedSearch>> CertifiedSearch::Create(Pipeline* pipeline,
                                                                 ThreadPool* pool,
                                                                 const kernels::KernelSet& kernels,
                                                                 int64_t max_states) {
  std::unique_ptr<lmhead::RowSearch> search;
  if (RemoteHead* const remote = pipeline->Head().shards.front()->Remote()) {
    search = remote->NewSearch(max_states);
  } else {
    HW_TRY(search,
           LocalSearch::Create(&pipeline->Head(), pipeline->model(), pool, kernels, max_states));
  }
  return std::unique_ptr<CertifiedSearch>(
      new CertifiedSearch(pipeline, kernels, std::move(search)));
}

CertifiedSearch::CertifiedSearch(Pipeline* pipeline, const kernels::KernelSet& kernels,
                                 std::unique_ptr<lmhead::RowSearch> search)
    : kernels_(kernels), first_(pipeline, search->MaxStates()), search_(std::move(search)) {
  const auto vocab_size = static_cast<size_t>(pipeline->model().vocab_size);
  entries_.reserve(vocab_size);
  remembered_.reserve(2 * vocab_size);
  remembered_ids_.reserve(vocab_size);
  remembered_logits_.reserve(vocab_size);
}

bool CertifiedSearch::NeedsScreen(std::span<const HeadState> states) const {
  const auto allowed = static_cast<int64_t>(states.front().rules->sparse->Allowed().size());
  return allowed == 0 || states.front().mask != nullptr || !search_->IsFew(allowed);
}

Result<void> CertifiedSearch::Begin(const HeadStep& step, Counters* counters) {
  step_ = step;
  screened_ = false;
  HW_TRY_VOID(first_.Compute(step, counters));
  const uint64_t start = NowNs();
  std::array<lmhead::ScreenDemand, kernels::kMaxScreenTokens> demands;
  size_t num_demands = 0;
  if (NeedsScreen(step.states)) {
    for (const HeadState& state : step.states) {
      demands[num_demands++] = {.certificate = state.rules->certified.mode,
                                .num_winners = state.rules->goal.num_winners};
    }
  }
  Result<void> begun =
      search_->Begin(step.hidden, step.NumStates(), std::span(demands).first(num_demands));
  if (num_demands > 0) {
    screened_ = true;
    // One pass over the signs serves all states.
    counters->head_bytes_read += SharedBytes();
    ++counters->head_planes_read;
  }
  counters->head_predict_ns += NowNs() - start;
  return begun;
}

uint64_t CertifiedSearch::SharedBytes() const {
  return screened_ ? static_cast<uint64_t>(search_->ScreenBytes()) : 0;
}

CertifiedSearch::Outcome CertifiedSearch::Choose(int64_t state, std::span<const int32_t> history) {
  At(state).rules->sparse->SetHistory(history);
  Outcome outcome;
  outcome.choice = Find(state, &outcome);
  return outcome;
}

std::optional<CertifiedSearch::Choice> CertifiedSearch::Find(int64_t state, Outcome* outcome) {
  ChoiceRules& rules = *At(state).rules;
  const auto choose = [&] {
    return rules.sparse->Choose(entries_, static_cast<uint64_t>(At(state).position));
  };
  if (!screened_) {
    outcome->evidence = search_->Evaluate(state, rules.sparse->Allowed());
    return ChooseAmongFound(state, outcome, choose);
  }
  const std::optional<lmhead::SearchGoal> goal = GoalOf(state);
  if (!goal) {
    outcome->evidence.bytes_read = SharedBytes();
    return {};
  }
  if (rules.goal.winner_first) return FindWinnerFirst(state, *goal, outcome);
  if (!Decide(state, *goal, &outcome->evidence)) return {};
  return ChooseAmongFound(state, outcome, choose);
}

// With filters: the best perturbed value of all rows first, since it mostly is the choice.
std::optional<CertifiedSearch::Choice> CertifiedSearch::FindWinnerFirst(
    int64_t state, const lmhead::SearchGoal& goal, Outcome* outcome) {
  sampling::SparseSampler& sparse = *At(state).rules->sparse;
  remembered_.clear();
  lmhead::SearchGoal of_all = goal;
  of_all.keep = 1;
  of_all.perturbed = true;
  of_all.inverse_temperature = 1.0F / sparse.Params().temperature;
  if (!Decide(state, of_all, &outcome->evidence)) return {};
  const auto winner = ChooseAmongFound(
      state, outcome, [&] { return sparse.ChooseUnfiltered(entries_, goal.position); });
  if (!winner) return {};
  const auto choice = goal.keep > 0 ? FindInBest(state, *winner, goal, outcome)
                                    : FindInNucleus(state, *winner, goal, outcome);
  if (choice) {
    outcome->kept_winner = choice->token == winner->token;
    outcome->dropped_winner = !outcome->kept_winner;
  }
  return choice;
}

// Top-k: the rows that come before the winner, as far as they are among the best k; all of those
// where the winner is not, or where top-p looks at them.
std::optional<CertifiedSearch::Choice> CertifiedSearch::FindInBest(int64_t state,
                                                                   const Choice& winner,
                                                                   lmhead::SearchGoal goal,
                                                                   Outcome* outcome) {
  sampling::SparseSampler& sparse = *At(state).rules->sparse;
  goal.at_least = sparse.Change(winner.token, winner.logit);
  // The winner is one of those that reach it.
  goal.counting = sparse.Params().top_p == 1.0F && sparse.Params().min_p == 0.0F;
  for (const bool all : {false, true}) {
    RememberFound(&goal);
    if (all) goal.at_least.reset();
    if (!Decide(state, goal, &outcome->evidence)) return {};
    if (outcome->evidence.few) return winner;
    const auto choice = ChooseAmongFound(state, outcome, [&] {
      return sparse.ChooseFrom(entries_, goal.position, winner,
                               {.below = outcome->evidence.theta, .count = goal.keep, .mass = 0.0});
    });
    if (!choice) return {};
    if (*choice) return *choice;
  }
  return ChooseAmongFound(state, outcome, [&] { return sparse.Choose(entries_, goal.position); });
}

// Top-p: the rows before the winner, and as many after it as it takes to know the mass of all well
// enough.
std::optional<CertifiedSearch::Choice> CertifiedSearch::FindInNucleus(int64_t state,
                                                                      const Choice& winner,
                                                                      lmhead::SearchGoal goal,
                                                                      Outcome* outcome) {
  sampling::SparseSampler& sparse = *At(state).rules->sparse;
  const auto choose = [&](double mass_of_rest) {
    return ChooseAmongFound(state, outcome, [&] {
      return sparse.ChooseFrom(entries_, goal.position, winner,
                               {.below = *goal.at_least, .count = -1, .mass = mass_of_rest});
    });
  };
  goal.at_least =
      std::max(sparse.Change(winner.token, winner.logit), sparse.Best() - kNucleusDepth);
  for (const bool again : {false, true}) {
    RememberFound(&goal);
    if (!Decide(state, goal, &outcome->evidence)) return {};
    auto choice = choose(std::numeric_limits<double>::infinity());
    if (!choice) return {};
    if (*choice) return *choice;
    const sampling::Missing missing = sparse.WhatIsMissing();
    if (missing.room > 0.0) {
      const auto more = search_->BoundRest(sparse.Best(), missing.room);
      outcome->evidence.rows_refined += more.rows_refined;
      outcome->evidence.rows_three_bits += more.rows_three_bits;
      outcome->evidence.bytes_read += more.bytes_read;
      if (more.decided) choice = choose(search_->MassOfRest(sparse.Best()));
      if (choice && *choice) return *choice;
    }
    if (again || missing.known > kMostMissing) return {};
    *goal.at_least -= kDeeper;
    goal.give_up = kDeeperGiveUp;
  }
  return {};
}

// What a search computed need not be computed again.
void CertifiedSearch::RememberFound(lmhead::SearchGoal* goal) {
  if (first_.Exist()) return;  // those are known already
  const auto found = search_->Found();
  remembered_.insert(remembered_.end(), found.begin(), found.end());
  std::sort(remembered_.begin(), remembered_.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  remembered_.erase(std::unique(remembered_.begin(), remembered_.end(),
                                [](const auto& a, const auto& b) { return a.id == b.id; }),
                    remembered_.end());
  remembered_ids_.clear();
  remembered_logits_.clear();
  for (const lmhead::Candidate& row : remembered_) {
    remembered_ids_.push_back(row.id);
    remembered_logits_.push_back(row.logit);
  }
  goal->known_ids = remembered_ids_;
  goal->known_logits = remembered_logits_;
}

// What a state's search must find, as far as the parameters tell; nothing when a known logit is not
// finite, which is the full head's to report.
std::optional<lmhead::SearchGoal> CertifiedSearch::GoalOf(int64_t state) const {
  const HeadState& at = At(state);
  const sampling::SparseSampler* const sparse = &*at.rules->sparse;
  const sampling::SparseGoal& wanted = at.rules->goal;
  const sampling::SamplingParams& params = sparse->Params();
  lmhead::SearchGoal goal{
      .keep = wanted.keep,
      .margin = wanted.margin,
      .at_least = {},
      .perturbed = wanted.perturbed,
      .inverse_temperature = wanted.perturbed ? 1.0F / params.temperature : 1.0F,
      .seed = params.seed,
      .position = static_cast<uint64_t>(at.position),
      .changed = sparse->Changed(),
      .change = nullptr,
      .allowed = sparse->Allowed()};
  if (at.mask != nullptr) {
    goal.keep = std::min(goal.keep, at.mask->count);
    goal.mask = at.mask->bits;
  }
  if (first_.Exist()) {
    goal.known_ids = first_.Ids();
    goal.known_logits = first_.Logits(state);
    if (!kernels_.all_finite(goal.known_logits.data(),
                             static_cast<int64_t>(goal.known_logits.size()))) {
      return {};
    }
  }
  goal.change = [sparse](int32_t id, float logit) { return sparse->Change(id, logit); };
  return goal;
}

// One more search of the same screened state; false: only the full head can tell.
bool CertifiedSearch::Decide(int64_t state, const lmhead::SearchGoal& goal,
                             lmhead::SearchEvidence* evidence) {
  const lmhead::SearchEvidence more = search_->Decide(state, goal);
  const bool is_first = evidence->rows_screened == 0;
  evidence->decided = more.decided;
  evidence->few = more.few;
  evidence->theta = more.theta;
  evidence->rows_screened = more.rows_screened;
  evidence->rows_refined += more.rows_refined;
  evidence->rows_three_bits += more.rows_three_bits;
  evidence->rows_exact += more.rows_exact;
  evidence->strips_exact += more.strips_exact;
  evidence->bytes_read += more.bytes_read - (is_first ? 0 : SharedBytes());
  return more.decided;
}

// What `choose` makes of the rows found, timed as selection; nothing when a logit is not finite.
template <typename Chooser>
auto CertifiedSearch::ChooseAmongFound(int64_t state, Outcome* outcome, const Chooser& choose)
    -> std::optional<decltype(choose())> {
  const uint64_t start = NowNs();
  std::optional<decltype(choose())> chosen;
  if (Fill(state, search_->Found())) chosen = choose();
  outcome->reduce_ns += NowNs() - start;
  return chosen;
}

// Copies the candidates that a grammar allows for the sampler; false when one is not finite.
bool CertifiedSearch::Fill(int64_t state, std::span<const lmhead::Candidate> candidates) {
  const grammar::TokenMask* const mask = At(state).mask;
  entries_.clear();
  for (const lmhead::Candidate& candidate : candidates) {
    if (!std::isfinite(candidate.logit)) return false;
    if (mask != nullptr && !mask->Allows(candidate.id)) continue;
    entries_.push_back({.id = candidate.id, .logit = candidate.logit});
  }
  return !entries_.empty();
}

}  // namespace headway
