#include "lmhead/search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/check.h"

namespace headway::lmhead {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr int64_t kStripRows = kernels::kSignStripRows;

// Rows that are evaluated first, to get a threshold; the best estimates.
constexpr int64_t kFirstCandidates = 4;
// Rows refined by one kernel call.
constexpr size_t kRefineRows = 256;
// The first slice of strips that is refined, and by how much the next ones grow.
constexpr int64_t kFirstSlice = 32;
constexpr int64_t kSliceGrowth = 4;
// Strips and records are read at random places: what a byte of them costs against the full head's
// stream, about; and the share of a full pass at which a search gives up. The screen itself is
// about a sixth of a full pass: together they stay below 1.25.
constexpr double kRandomRead = 1.3;
constexpr double kGiveUp = 0.75;
// Lists of rows that cost less than this share of a full pass are evaluated without screening.
constexpr double kFewShare = 0.12;

// a + b * c, not below the rounded value that follows from a - c * (something smaller).
float BoundAfter(float score, float upper, float refined_upper, float factor) {
  const double moved = static_cast<double>(score) +
                       (static_cast<double>(refined_upper) - static_cast<double>(upper)) * factor;
  // The two values were rounded once each: at most a unit in the last place of the largest term.
  const double slack =
      0x1p-22 *
      (std::fabs(static_cast<double>(score)) +
       (std::fabs(static_cast<double>(refined_upper)) + std::fabs(static_cast<double>(upper))) *
           factor);
  return static_cast<float>(moved + slack) + 0x1p-120F;
}

}  // namespace

Search::Search(const Planes* planes, ExactRows* exact, const kernels::KernelSet& kernels,
               ThreadPool* pool, int64_t max_states, const SearchOptions& options)
    : planes_(planes),
      exact_(exact),
      kernels_(kernels),
      pool_(pool),
      options_(options),
      screening_(planes, kernels, pool, max_states, options.noise_key) {
  const auto rows = static_cast<size_t>(planes->NumRows());
  const auto num_strips = static_cast<size_t>(kernels::NumSignStrips(planes->NumRows()));
  scored_ = AlignedBuffer(rows * sizeof(float));
  logits_ = AlignedBuffer(rows * sizeof(float));
  strips_.resize(num_strips);
  order_.resize(num_strips);
  exact_bits_.resize((rows + 63) / 64);
  workers_.resize(static_cast<size_t>(pool->NumThreads()));
  // Lists are as long as they can get, so that a step allocates nothing; what is not touched takes
  // no memory.
  alive_.reserve(rows);
  candidates_.reserve(rows);
  values_.reserve(rows);
  sorted_values_.reserve(rows);
  wanted_.reserve(rows);
  wanted_strips_.reserve(rows);
  for (Worker& worker : workers_) {
    worker.alive.reserve(rows);
    worker.rows.reserve(2 * kRefineRows + kStripRows + 16);  // at_least() writes whole vectors
    worker.estimates.resize(2 * kRefineRows);
    worker.uppers.resize(2 * kRefineRows);
  }
}

void Search::Screen(const float* hidden, int64_t num_states, int64_t num_winners) noexcept {
  screening_.Run(hidden, num_states, options_.certificate, num_winners);
}

bool Search::IsFew(int64_t num_rows) const {
  return static_cast<double>(num_rows * exact_->StripBytes()) * kRandomRead <
         kFewShare * static_cast<double>(exact_->FullBytes());
}

bool Search::TooDear(double rows, double records) const {
  // Rows spread over strips at random: some share one.
  const double all =
      static_cast<double>(exact_->FullBytes()) / static_cast<double>(exact_->StripBytes());
  const double strips = all * (1.0 - std::exp(-rows / all));
  const double bytes =
      strips * static_cast<double>(exact_->StripBytes()) +
      records * static_cast<double>(kernels::RefineRecordBytes(planes_->Constants().num_channels));
  return bytes * kRandomRead > kGiveUp * static_cast<double>(exact_->FullBytes());
}

// Rows that may not be chosen have the bound -infinity and are never listed.
float Search::Threshold() const { return std::max(theta_, std::numeric_limits<float>::lowest()); }

bool Search::IsExact(int32_t row) const {
  return (exact_bits_[static_cast<size_t>(row) / 64] >> (row % 64) & 1) != 0;
}

void Search::Begin(int64_t state, const SearchGoal* goal) {
  state_ = state;
  goal_ = goal;
  screened_ = &screening_.State(state);
  evidence_ = {};
  theta_ = kMinusInfinity;
  for (const Candidate& candidate : candidates_) {
    exact_bits_[static_cast<size_t>(candidate.id) / 64] = 0;
  }
  candidates_.clear();
  values_.clear();
  alive_.clear();
}

SearchEvidence Search::Evaluate(int64_t state, std::span<const int32_t> rows) noexcept {
  static const SearchGoal anything;
  Begin(state, &anything);
  EvaluateRows(rows);
  return Finish(true);
}

SearchEvidence Search::Decide(int64_t state, const SearchGoal& goal) noexcept {
  Begin(state, &goal);
  evidence_.rows_screened = static_cast<uint64_t>(planes_->NumRows());
  evidence_.bytes_read = static_cast<uint64_t>(planes_->ScreenBytes());
  evidence_.planes_read = 1;
  if (!screened_->usable) return Finish(false);
  if (TooDear(static_cast<double>(goal.changed.size()), 0.0)) return Finish(false);
  EvaluateRows(goal.changed);
  ScoreStrips();
  EvaluateBestStrips();
  ListStrips();
  return Finish(RefineStrips() && EvaluateAlive());
}

// Upper bounds of values, of all rows and of strips, with the strips' best estimates.
void Search::ScoreStrips() {
  own_scores_ = goal_->perturbed || !goal_->allowed.empty();
  if (!own_scores_) {
    scores_ = screened_->upper.Pointer<float>();
    std::copy(screened_->summaries.begin(), screened_->summaries.end(), strips_.begin());
    return;
  }
  scores_ = scored_.Pointer<float>();
  const auto num_strips = static_cast<int64_t>(strips_.size());
  queue_.Reset();
  pool_->Run([&](int) {
    int64_t strip = 0;
    int64_t end = 0;
    while (queue_.Take(num_strips, 64, &strip, &end)) {
      for (; strip < end; ++strip) ScoreStrip(strip);
    }
  });
}

void Search::ScoreStrip(int64_t strip) {
  const int64_t first = strip * kStripRows;
  const int64_t n = std::min(kStripRows, planes_->NumRows() - first);
  const float* upper = screened_->upper.Pointer<float>() + first;
  const float* estimate = screened_->estimate.Pointer<float>() + first;
  float* score = scored_.Pointer<float>() + first;
  if (goal_->perturbed) {
    kernels_.perturb(upper, n, goal_->inverse_temperature, goal_->seed, goal_->position, first,
                     score);
  } else {
    std::copy_n(upper, n, score);
  }
  if (!goal_->allowed.empty()) {
    auto next = std::lower_bound(goal_->allowed.begin(), goal_->allowed.end(), first);
    for (int64_t i = 0; i < n; ++i) {
      const bool keep = next != goal_->allowed.end() && *next == first + i;
      if (keep) {
        ++next;
      } else {
        score[i] = kMinusInfinity;
      }
    }
  }
  kernels::ScreenSummary summary{.largest_upper = kMinusInfinity,
                                 .best_estimate = kMinusInfinity,
                                 .best_row = static_cast<int32_t>(first)};
  const float factor = goal_->perturbed ? goal_->inverse_temperature : 1.0F;
  for (int64_t i = 0; i < n; ++i) {
    summary.largest_upper = std::max(summary.largest_upper, score[i]);
    const float value = score[i] + (estimate[i] - upper[i]) * factor;
    if (value > summary.best_estimate) {
      summary.best_estimate = value;
      summary.best_row = static_cast<int32_t>(first + i);
    }
  }
  strips_[static_cast<size_t>(strip)] = summary;
}

// A first threshold from the rows that look best, one a strip.
void Search::EvaluateBestStrips() {
  order_.resize(strips_.size());
  std::iota(order_.begin(), order_.end(), 0);
  const auto count = static_cast<int64_t>(order_.size());
  const int64_t first = std::min(count, std::max(kFirstCandidates, goal_->keep));
  std::partial_sort(order_.begin(), order_.begin() + first, order_.end(),
                    [&](int32_t a, int32_t b) {
                      return strips_[static_cast<size_t>(a)].best_estimate >
                             strips_[static_cast<size_t>(b)].best_estimate;
                    });
  wanted_.clear();
  for (int64_t i = 0; i < first; ++i) {
    const kernels::ScreenSummary& strip =
        strips_[static_cast<size_t>(order_[static_cast<size_t>(i)])];
    if (strip.best_estimate > kMinusInfinity) wanted_.push_back(strip.best_row);
  }
  EvaluateRows(wanted_);
}

// The strips that have a row left, the most promising first.
void Search::ListStrips() {
  order_.clear();
  for (size_t i = 0; i < strips_.size(); ++i) {
    if (!(strips_[i].largest_upper < Threshold())) order_.push_back(static_cast<int32_t>(i));
  }
  std::sort(order_.begin(), order_.end(), [&](int32_t a, int32_t b) {
    const float x = strips_[static_cast<size_t>(a)].best_estimate;
    const float y = strips_[static_cast<size_t>(b)].best_estimate;
    return x != y ? x > y : a < b;
  });
}

// Reads two more bits of the rows left, slice by slice; false when the full head is cheaper.
bool Search::RefineStrips() {
  const auto total = static_cast<int64_t>(order_.size());
  int64_t slice = kFirstSlice;
  for (int64_t begin = 0; begin < total;) {
    // Strips are sorted by estimate, not by bound: those that a raised threshold excludes are
    // skipped inside.
    const int64_t end = std::min(begin + slice, total);
    // Inside a slice in the order of memory: dense lists stream.
    std::sort(order_.begin() + begin, order_.begin() + end);
    const uint64_t refined_before = evidence_.rows_refined;
    const size_t alive_before = alive_.size();
    RefineSlice(begin, end);
    RaiseTheta();
    const auto refined = static_cast<double>(evidence_.rows_refined - refined_before);
    const size_t alive_now = alive_.size();
    double rows = static_cast<double>(alive_now);
    double records = 0.0;
    if (begin > 0) {  // the best strips come first and tell nothing about the rest
      const double rest = static_cast<double>(total - end) / static_cast<double>(end - begin);
      const double fresh =
          alive_now > alive_before ? static_cast<double>(alive_now - alive_before) : 0.0;
      rows += fresh * rest;
      records = refined * rest;
    }
    if (TooDear(rows, records)) return false;
    begin = end;
    slice *= kSliceGrowth;
  }
  return true;
}

void Search::RefineSlice(int64_t begin, int64_t end) {
  queue_.Reset();
  pool_->Run([&](int thread) {
    Worker& worker = workers_[static_cast<size_t>(thread)];
    worker.alive.clear();
    worker.rows.clear();
    worker.refined = 0;
    int64_t first = 0;
    int64_t last = 0;
    const int64_t stretch =
        std::max<int64_t>(4, (end - begin) / (int64_t{8} * pool_->NumThreads()));
    while (queue_.Take(end - begin, stretch, &first, &last)) {
      for (; first < last; ++first) {
        const int64_t strip = order_[static_cast<size_t>(begin + first)];
        if (strips_[static_cast<size_t>(strip)].largest_upper < Threshold()) continue;
        const int64_t row = strip * kStripRows;
        const int64_t n = std::min(kStripRows, planes_->NumRows() - row);
        const size_t old = worker.rows.size();
        worker.rows.resize(old + static_cast<size_t>(n) + 16);
        const int64_t found = kernels_.at_least(scores_ + row, n, Threshold(),
                                                static_cast<int32_t>(row), &worker.rows[old]);
        worker.rows.resize(old + static_cast<size_t>(found));
        worker.rows.erase(
            std::remove_if(worker.rows.begin() + static_cast<std::ptrdiff_t>(old),
                           worker.rows.end(), [&](int32_t id) { return IsExact(id); }),
            worker.rows.end());
        if (worker.rows.size() >= kRefineRows) RefineRows(&worker);
      }
    }
    RefineRows(&worker);
  });
  for (const Worker& worker : workers_) {
    alive_.insert(alive_.end(), worker.alive.begin(), worker.alive.end());
    evidence_.rows_refined += worker.refined;
  }
}

// Bounds the rows that a thread has collected by three bits.
void Search::RefineRows(Worker* worker) {
  if (worker->rows.empty()) return;
  const size_t n = worker->rows.size();
  const StateTerms& terms = screened_->terms;
  kernels_.refine({.records = planes_->Records(),
                   .num_channels = planes_->Constants().num_channels,
                   .rows = worker->rows.data(),
                   .num_rows = static_cast<int64_t>(n),
                   .q = screened_->q.Pointer<int8_t>(),
                   .blocks = terms.refine.data(),
                   .multiplier = terms.refine_radius.multiplier,
                   .constant = terms.refine_radius.constant,
                   .estimate_factor = terms.refine_factor,
                   .screened = screened_->estimate.Pointer<float>(),
                   .estimate = worker->estimates.data(),
                   .upper = worker->uppers.data()});
  const float* upper = screened_->upper.Pointer<float>();
  const float factor = goal_->inverse_temperature;
  for (size_t i = 0; i < n; ++i) {
    const int32_t row = worker->rows[i];
    // Both bounds hold: the smaller one counts.
    const float refined = std::min(worker->uppers[i], upper[row]);
    Alive alive{.row = row, .estimate = worker->estimates[i], .bound = refined};
    if (goal_->perturbed) {
      alive.bound = BoundAfter(scores_[row], upper[row], refined, factor);
      alive.estimate = scores_[row] + (worker->estimates[i] - upper[row]) * factor;
    }
    if (!(alive.bound < theta_)) worker->alive.push_back(alive);
  }
  worker->refined += n;
  worker->rows.clear();
}

// Evaluates the best of the rows left, as far as they promise a higher threshold, and drops what
// falls below it.
void Search::RaiseTheta() {
  const auto count =
      std::min<size_t>(alive_.size(), static_cast<size_t>(std::max(kFirstCandidates, goal_->keep)));
  std::partial_sort(alive_.begin(), alive_.begin() + static_cast<std::ptrdiff_t>(count),
                    alive_.end(), [](const Alive& a, const Alive& b) {
                      return a.estimate != b.estimate ? a.estimate > b.estimate : a.row < b.row;
                    });
  wanted_.clear();
  for (size_t i = 0; i < count && alive_[i].estimate > theta_; ++i) {
    wanted_.push_back(alive_[i].row);
  }
  EvaluateRows(wanted_);
  std::erase_if(alive_, [&](const Alive& row) { return row.bound < theta_ || IsExact(row.row); });
}

// Evaluates all rows left, the best first; false when the full head is cheaper.
bool Search::EvaluateAlive() {
  const size_t batch = 16 * workers_.size();
  std::sort(alive_.begin(), alive_.end(), [](const Alive& a, const Alive& b) {
    return a.estimate != b.estimate ? a.estimate > b.estimate : a.row < b.row;
  });
  for (size_t begin = 0; begin < alive_.size();) {
    wanted_.clear();
    for (; begin < alive_.size() && wanted_.size() < batch; ++begin) {
      if (!(alive_[begin].bound < theta_)) wanted_.push_back(alive_[begin].row);
    }
    if (TooDear(static_cast<double>(evidence_.rows_exact), 0.0)) return false;
    EvaluateRows(wanted_);
  }
  return true;
}

// Exact logits of `rows` (those that have none yet), and the threshold that follows.
void Search::EvaluateRows(std::span<const int32_t> rows) {
  const size_t first_new = candidates_.size();
  wanted_strips_.clear();
  for (const int32_t row : rows) {
    if (IsExact(row)) continue;
    exact_bits_[static_cast<size_t>(row) / 64] |= uint64_t{1} << (row % 64);
    candidates_.push_back({.id = row});
    wanted_strips_.push_back(exact_->StripOf(row));
  }
  if (candidates_.size() == first_new) return;
  std::sort(wanted_strips_.begin(), wanted_strips_.end());
  wanted_strips_.erase(std::unique(wanted_strips_.begin(), wanted_strips_.end()),
                       wanted_strips_.end());
  const auto num_strips = static_cast<int64_t>(wanted_strips_.size());
  float* logits = logits_.Pointer<float>();
  queue_.Reset();
  pool_->Run([&](int) {
    int64_t strip = 0;
    int64_t end = 0;
    while (queue_.Take(num_strips, 1, &strip, &end)) {
      exact_->Compute(wanted_strips_[static_cast<size_t>(strip)], state_, logits);
    }
  });
  for (size_t i = first_new; i < candidates_.size(); ++i) {
    candidates_[i].logit = logits[candidates_[i].id];
    values_.push_back(ValueOf(candidates_[i]));
  }
  evidence_.rows_exact += candidates_.size() - first_new;
  evidence_.strips_exact += static_cast<uint64_t>(num_strips);
  UpdateTheta();
}

float Search::ValueOf(const Candidate& candidate) const {
  float value = candidate.logit;
  if (std::binary_search(goal_->changed.begin(), goal_->changed.end(), candidate.id)) {
    value = goal_->change(candidate.id, value);
  }
  const bool allowed =
      goal_->allowed.empty() ||
      std::binary_search(goal_->allowed.begin(), goal_->allowed.end(), candidate.id);
  if (!allowed) return kMinusInfinity;
  if (!goal_->perturbed) return value;
  return kernels_
      .gumbel_argmax(&value, 1, goal_->inverse_temperature, goal_->seed, goal_->position,
                     candidate.id)
      .value;
}

void Search::UpdateTheta() {
  if (goal_->keep <= 1) {
    theta_ = *std::max_element(values_.begin(), values_.end()) - goal_->margin;
    return;
  }
  const auto keep = static_cast<size_t>(goal_->keep);
  if (values_.size() < keep) return;
  sorted_values_ = values_;
  const auto place = sorted_values_.begin() + static_cast<std::ptrdiff_t>(keep - 1);
  std::nth_element(sorted_values_.begin(), place, sorted_values_.end(), std::greater<>());
  theta_ = *place;
}

SearchEvidence Search::Finish(bool decided) {
  evidence_.decided = decided;
  evidence_.theta = theta_;
  if (evidence_.rows_refined > 0) evidence_.planes_read = 3;
  evidence_.bytes_read +=
      evidence_.strips_exact * static_cast<uint64_t>(exact_->StripBytes()) +
      evidence_.rows_refined *
          static_cast<uint64_t>(kernels::RefineRecordBytes(planes_->Constants().num_channels));
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
  return evidence_;
}

}  // namespace headway::lmhead
