#include "lmhead/search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace headway::lmhead {
namespace {

// Rows that are evaluated first, to get a threshold; the best estimates.
constexpr int64_t kFirstCandidates = 4;
// Strips that are refined first, since a threshold may come from them. The others are read in
// slices of that cost, in full passes, at most so many: what may be read before a wrong forecast
// shows, or before a threshold rises. A slice costs 20 us beyond what it reads, a full pass 11 ms.
constexpr size_t kPromisingStrips = 64;
constexpr double kSliceCost = 0.03;
constexpr size_t kMostSlices = 12;
// Lists of rows that cost less than this share of a full pass are evaluated without screening.
constexpr double kFewShare = 0.12;

}  // namespace

Search::Search(const Planes* planes, ExactRows* exact, const kernels::KernelSet& kernels,
               ThreadPool* pool, int64_t max_states, const SearchOptions& options)
    : planes_(planes),
      exact_(exact),
      options_(options),
      screening_(planes, kernels, pool, max_states, options.noise_key, options.device_or_null,
                 options.rows, LogitCap(options.soft_cap, kernels)),
      scores_(planes->NumRows(), kernels, pool),
      candidates_(exact, planes->NumRows(), kernels, pool),
      refinement_(planes, kernels, pool, LogitCap(options.soft_cap, kernels)),
      rest_mass_(pool),
      batch_(size_t{16} * static_cast<size_t>(pool->NumThreads())) {
  const size_t num_strips = scores_.Strips().size();
  for (std::vector<int32_t>* list : {&order_, &promising_, &others_}) list->reserve(num_strips);
  estimates_.reserve(num_strips);
  wanted_.reserve(static_cast<size_t>(planes->NumRows()));
}

void Search::Screen(const float* hidden, int64_t num_states, int64_t num_winners) noexcept {
  std::array<ScreenDemand, kernels::kMaxScreenTokens> demands;
  demands.fill({.certificate = options_.certificate, .num_winners = num_winners});
  Screen(hidden, std::span(demands).first(static_cast<size_t>(num_states)));
}

// Of computing that many rows exactly, in full passes.
double Search::CostOf(double rows) const {
  // Rows spread over strips at random: some share one.
  const auto full = static_cast<double>(exact_->FullBytes());
  const auto strip = static_cast<double>(exact_->StripBytes());
  const double strips = full / strip * (1.0 - std::exp(-rows * strip / full));
  return strips * strip * kStripCost / full;
}

// Of all that a search has to do for the rows left.
double Search::CostOf(const RowsLeft& left) const {
  const kernels::PlaneShape& shape = planes_->Shape();
  const double bytes =
      left.now * static_cast<double>(kernels::RefineRecordBytes(shape)) +
      left.after_two_bits * static_cast<double>(kernels::RefineBitsBytes(shape.channels));
  return CostOf(left.after_three_bits) +
         bytes * kRecordCost / static_cast<double>(exact_->FullBytes());
}

bool AreFew(int64_t num_rows, int64_t strip_bytes, int64_t full_bytes) {
  return static_cast<double>(num_rows * strip_bytes) * kStripCost <
         kFewShare * static_cast<double>(full_bytes);
}

// Rows that may not be chosen have the bound -infinity and are never listed.
float Search::Threshold() const {
  return std::max(candidates_.Theta(), std::numeric_limits<float>::lowest());
}

SearchEvidence Search::Evaluate(int64_t state, std::span<const int32_t> rows) noexcept {
  static const SearchGoal anything;
  candidates_.Begin(state, &anything);
  candidates_.Evaluate(rows);
  candidates_.Sort();
  return {.decided = true,
          .theta = candidates_.Theta(),
          .rows_exact = candidates_.NumRows(),
          .strips_exact = candidates_.NumStrips(),
          .bytes_read = candidates_.NumStrips() * static_cast<uint64_t>(exact_->StripBytes())};
}

SearchEvidence Search::Decide(int64_t state, const SearchGoal& goal) noexcept {
  ScreenedState& screened = screening_.State(state);
  goal_ = &goal;
  screened_ = &screened;
  candidates_.Begin(state, &goal);
  refinement_.Begin(&screened, &scores_, &candidates_);
  if (!screened.usable) return MakeEvidence(false);
  if (CostOf(static_cast<double>(goal.changed.size())) > goal_->give_up) return MakeEvidence(false);
  candidates_.Evaluate(goal.changed);
  scores_.Compute(&screened, &goal);
  EvaluateBestStrips();
  // A good row elsewhere spares this search what lies below it.
  if (goal.others != nullptr) candidates_.RaiseTheta(goal.others->Largest(candidates_.Theta()));
  ListStrips();
  if (!RefineStrips()) return MakeEvidence(false);
  if (FewReach()) {
    SearchEvidence evidence = MakeEvidence(true);
    evidence.few = true;
    return evidence;
  }
  EvaluateAlive();
  return MakeEvidence(true);
}

SearchEvidence Search::BoundRest(float best, double room) noexcept {
  const MassPlan plan = rest_mass_.Plan(scores_, candidates_, best, room);
  const RowsLeft left{.now = plan.rows, .after_two_bits = plan.rows, .after_three_bits = 0.0};
  if (!plan.is_promising || CostOf(left) > goal_->give_up) return {};
  refinement_.Begin(screened_, &scores_, &candidates_);
  others_.clear();
  const std::span<const kernels::ScreenSummary> strips = scores_.Strips();
  for (size_t i = 0; i < strips.size(); ++i) {
    if (strips[i].largest_upper >= plan.from) others_.push_back(static_cast<int32_t>(i));
  }
  refinement_.Refine(others_, plan.from);
  SearchEvidence evidence{.decided = true,
                          .theta = candidates_.Theta(),
                          .rows_refined = refinement_.NumTwoBits(),
                          .rows_three_bits = refinement_.NumThreeBits()};
  evidence.bytes_read = RefinedBytes(evidence);
  return evidence;
}

uint64_t Search::RefinedBytes(const SearchEvidence& evidence) const {
  const kernels::PlaneShape& shape = planes_->Shape();
  return evidence.rows_refined * static_cast<uint64_t>(kernels::RefineRecordBytes(shape)) +
         evidence.rows_three_bits * static_cast<uint64_t>(kernels::RefineBitsBytes(shape.channels));
}

SearchEvidence Search::MakeEvidence(bool decided) {
  candidates_.Sort();
  SearchEvidence evidence{.decided = decided,
                          .theta = candidates_.Theta(),
                          .rows_screened = static_cast<uint64_t>(planes_->NumRows()),
                          .rows_refined = refinement_.NumTwoBits(),
                          .rows_three_bits = refinement_.NumThreeBits(),
                          .rows_exact = candidates_.NumRows(),
                          .strips_exact = candidates_.NumStrips(),
                          .bytes_read = static_cast<uint64_t>(ScreenBytes())};
  evidence.bytes_read +=
      evidence.strips_exact * static_cast<uint64_t>(exact_->StripBytes()) + RefinedBytes(evidence);
  return evidence;
}

// A first threshold from the rows that look best, one a strip.
void Search::EvaluateBestStrips() {
  const std::span<const kernels::ScreenSummary> strips = scores_.Strips();
  order_.resize(strips.size());
  std::iota(order_.begin(), order_.end(), 0);
  const auto count = static_cast<int64_t>(order_.size());
  // They would not raise a threshold that is mostly what was asked for.
  const int64_t wanted = goal_->at_least ? 0 : goal_->keep;
  const int64_t first = std::min(count, std::max(kFirstCandidates, wanted));
  std::partial_sort(order_.begin(), order_.begin() + first, order_.end(),
                    [&](int32_t a, int32_t b) {
                      return strips[static_cast<size_t>(a)].best_estimate >
                             strips[static_cast<size_t>(b)].best_estimate;
                    });
  wanted_.clear();
  for (int64_t i = 0; i < first; ++i) {
    const kernels::ScreenSummary& strip =
        strips[static_cast<size_t>(order_[static_cast<size_t>(i)])];
    // With a threshold from known or changed rows: those that promise a higher one.
    if (strip.best_estimate > candidates_.Theta()) wanted_.push_back(strip.best_row);
  }
  candidates_.Evaluate(wanted_);
}

// The strips that have a row left: the most promising ones and the others, both in the order of
// memory (dense lists stream).
void Search::ListStrips() {
  const std::span<const kernels::ScreenSummary> strips = scores_.Strips();
  others_.clear();
  estimates_.clear();
  for (size_t i = 0; i < strips.size(); ++i) {
    if (strips[i].largest_upper < Threshold()) continue;
    others_.push_back(static_cast<int32_t>(i));
    estimates_.push_back(strips[i].best_estimate);
  }
  promising_.clear();
  if (others_.size() <= kPromisingStrips) return promising_.swap(others_);
  // Estimates above the 64th best, and as many equal ones as there is room for.
  const auto last = estimates_.begin() + static_cast<std::ptrdiff_t>(kPromisingStrips) - 1;
  std::nth_element(estimates_.begin(), last, estimates_.end(), std::greater<>());
  const float least = *last;
  auto equal =
      kPromisingStrips - static_cast<size_t>(std::count_if(estimates_.begin(), last,
                                                           [&](float e) { return e > least; }));
  size_t kept = 0;
  for (const int32_t strip : others_) {
    const float estimate = strips[static_cast<size_t>(strip)].best_estimate;
    if (estimate > least || (estimate == least && equal > 0)) {
      equal -= estimate == least ? 1 : 0;
      promising_.push_back(strip);
    } else {
      others_[kept++] = strip;
    }
  }
  others_.resize(kept);
}

// Reads a second bit of the rows left, and a third where that is not enough, slice by slice; false
// when the full head is cheaper.
bool Search::RefineStrips() {
  RefineSlice(promising_);
  const std::span<const int32_t> others(others_);
  RowsLeft forecast = scores_.Forecast(others, Threshold());
  forecast.after_three_bits += static_cast<double>(refinement_.NumAlive());
  const double cost = CostOf(forecast);
  if (cost > goal_->give_up) return false;
  const auto num_slices = std::min(kMostSlices, 1 + static_cast<size_t>(cost / kSliceCost));
  const size_t slice = std::max(kPromisingStrips, (others.size() + num_slices - 1) / num_slices);
  for (size_t begin = 0; begin < others.size(); begin += slice) {
    const size_t before = refinement_.NumAlive();
    RefineSlice(others.subspan(begin, std::min(slice, others.size() - begin)));
    // The forecast is a guess about estimates; what a slice has left is not.
    const size_t now = refinement_.NumAlive();
    const size_t fresh = now > before ? now - before : 0;
    const size_t rest = others.size() - std::min(begin + slice, others.size());
    const double expected =
        static_cast<double>(fresh) * static_cast<double>(rest) / static_cast<double>(slice);
    if (CostOf(static_cast<double>(now) + expected) > goal_->give_up) return false;
  }
  return true;
}

// Refines some strips, computes the best rows left of all, as far as they promise a higher
// threshold, and drops what stays below it.
void Search::RefineSlice(std::span<const int32_t> strips) {
  refinement_.Refine(strips, Threshold());
  if (FewReach()) return;
  wanted_.clear();
  const auto best = static_cast<size_t>(std::max(kFirstCandidates, goal_->keep));
  for (const AliveRow& row : refinement_.Best(best)) {
    if (row.estimate > candidates_.Theta()) wanted_.push_back(row.row);
  }
  candidates_.Evaluate(wanted_);
  refinement_.Drop(Threshold());
}

// Whether rows that are known or left, all together, are few enough to end with a count. Not when
// the threshold has risen: then others that reach the value may have been dropped.
bool Search::FewReach() const {
  return goal_->counting && goal_->at_least && candidates_.Theta() <= *goal_->at_least &&
         candidates_.NumReaching() + static_cast<int64_t>(refinement_.NumAlive()) <= goal_->keep;
}

// Computes all rows left, the best first.
void Search::EvaluateAlive() {
  const std::span<const AliveRow> alive = refinement_.Best(refinement_.NumAlive());
  for (size_t begin = 0; begin < alive.size();) {
    wanted_.clear();
    for (; begin < alive.size() && wanted_.size() < batch_; ++begin) {
      if (!(alive[begin].bound < candidates_.Theta())) wanted_.push_back(alive[begin].row);
    }
    candidates_.Evaluate(wanted_);
  }
}

}  // namespace headway::lmhead
