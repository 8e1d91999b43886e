#include "lmhead/refinement.h"

#include <algorithm>

namespace headway::lmhead {
namespace {

// Rows refined by one kernel call, at least.
constexpr int64_t kRefineRows = 256;
// at_least() writes whole vectors.
constexpr int64_t kListSlack = 16;

}  // namespace

Refinement::Refinement(const Planes* planes, const kernels::KernelSet& kernels, ThreadPool* pool,
                       LogitCap cap)
    : planes_(planes),
      kernels_(kernels),
      pool_(pool),
      cap_(cap),
      queue_(pool->NumThreads()),
      workers_(static_cast<size_t>(pool->NumThreads())) {
  // Lists are as long as they can get, so that a step allocates nothing; what is not touched takes
  // no memory.
  const auto rows = static_cast<size_t>(planes->NumRows());
  alive_.reserve(rows);
  for (Worker& worker : workers_) {
    worker.alive.reserve(rows);
    worker.rows.resize(static_cast<size_t>(kRefineRows + kernels::kSignStripRows + kListSlack));
    worker.estimates.resize(worker.rows.size());
    worker.uppers.resize(worker.rows.size());
    worker.smallest.resize(worker.rows.size());
  }
}

void Refinement::Begin(ScreenedState* screened, const Scores* scores,
                       const Candidates* candidates) {
  screened_ = screened;
  scores_ = scores;
  candidates_ = candidates;
  alive_.clear();
  num_two_bits_ = 0;
  num_three_bits_ = 0;
}

void Refinement::Refine(std::span<const int32_t> strips, float threshold) {
  const auto num_strips = static_cast<int64_t>(strips.size());
  queue_.Reset();
  pool_->Run([&](int thread) {
    Worker& worker = workers_[static_cast<size_t>(thread)];
    worker.alive.clear();
    worker.num_rows = 0;
    worker.two_bits = 0;
    worker.three_bits = 0;
    int64_t begin = 0;
    int64_t end = 0;
    while (queue_.Take(thread, num_strips, &begin, &end)) {
      for (; begin < end; ++begin) {
        ListStrip(strips[static_cast<size_t>(begin)], threshold, &worker);
        if (worker.num_rows >= kRefineRows) RefineRows(threshold, &worker);
      }
    }
    RefineRows(threshold, &worker);
  });
  for (const Worker& worker : workers_) {
    alive_.insert(alive_.end(), worker.alive.begin(), worker.alive.end());
    num_two_bits_ += worker.two_bits;
    num_three_bits_ += worker.three_bits;
  }
}

// Adds the strip's rows to the thread's list.
void Refinement::ListStrip(int64_t strip, float threshold, Worker* worker) const {
  if (scores_->Strips()[static_cast<size_t>(strip)].largest_upper < threshold) return;
  const int64_t row = strip * kernels::kSignStripRows;
  const int64_t n = std::min(kernels::kSignStripRows, planes_->NumRows() - row);
  int32_t* const found = worker->rows.data() + worker->num_rows;
  const int64_t count =
      kernels_.at_least(scores_->Upper() + row, n, threshold, static_cast<int32_t>(row), found);
  int32_t* const end =
      std::remove_if(found, found + count, [&](int32_t id) { return candidates_->IsExact(id); });
  worker->num_rows += end - found;
}

// Bounds the rows that a thread has collected: all by two bits, then, while their records are in
// its cache, those left by three.
void Refinement::RefineRows(float threshold, Worker* worker) const {
  const float* screened = screened_->upper.Pointer<float>();
  for (size_t i = 0; i < static_cast<size_t>(worker->num_rows); ++i) {
    worker->smallest[i] = screened[worker->rows[i]];
  }
  worker->two_bits += static_cast<uint64_t>(worker->num_rows);
  Narrow(screened_->terms.two_bits, nullptr, threshold, worker);
  worker->three_bits += static_cast<uint64_t>(worker->num_rows);
  Narrow(screened_->terms.three_bits, planes_->ThirdBits(), threshold, worker);
  for (size_t i = 0; i < static_cast<size_t>(worker->num_rows); ++i) {
    const int32_t row = worker->rows[i];
    worker->alive.push_back({.row = row,
                             .estimate = scores_->ValueAt(row, worker->estimates[i]),
                             .bound = scores_->BoundAt(row, worker->smallest[i])});
    screened_->upper.Pointer<float>()[row] = worker->smallest[i];  // after the last use of the old
  }
  worker->num_rows = 0;
}

// Bounds the thread's rows by two bits, or by three, and forgets those that stay below `threshold`.
void Refinement::Narrow(const RefineTerms& terms, const std::byte* third_bits_or_null,
                        float threshold, Worker* worker) const {
  if (worker->num_rows == 0) return;
  kernels_.refine({.records = planes_->Records(),
                   .third_bits_or_null = third_bits_or_null,
                   .shape = planes_->Shape(),
                   .rows = worker->rows.data(),
                   .num_rows = worker->num_rows,
                   .q = screened_->q.Pointer<int8_t>(),
                   .blocks = terms.blocks.data(),
                   .multiplier = terms.radius.multiplier,
                   .constant = terms.radius.constant,
                   .reach = screened_->terms.reach,
                   .shares = terms.shares.data(),
                   .estimate_factor = terms.factor,
                   .screened = screened_->Products(),
                   .estimate = worker->estimates.data(),
                   .upper = worker->uppers.data()});
  if (cap_.Exists()) {
    cap_.Estimates(worker->estimates.data(), worker->num_rows);
    cap_.Bounds(worker->uppers.data(), worker->num_rows);
  }
  size_t left = 0;
  for (size_t i = 0; i < static_cast<size_t>(worker->num_rows); ++i) {
    const int32_t row = worker->rows[i];
    // All bounds hold: the smallest one counts.
    const float upper = std::min(worker->uppers[i], worker->smallest[i]);
    if (scores_->BoundAt(row, upper) < threshold) {
      screened_->upper.Pointer<float>()[row] = upper;
      continue;
    }
    worker->rows[left] = row;
    worker->estimates[left] = worker->estimates[i];
    worker->smallest[left++] = upper;
  }
  worker->num_rows = static_cast<int64_t>(left);
}

void Refinement::Drop(float threshold) {
  std::erase_if(alive_, [&](const AliveRow& row) {
    return row.bound < threshold || candidates_->IsExact(row.row);
  });
}

std::span<const AliveRow> Refinement::Best(size_t count) {
  const size_t found = std::min(count, alive_.size());
  std::partial_sort(alive_.begin(), alive_.begin() + static_cast<std::ptrdiff_t>(found),
                    alive_.end(), [](const AliveRow& a, const AliveRow& b) {
                      return a.estimate != b.estimate ? a.estimate > b.estimate : a.row < b.row;
                    });
  return std::span<const AliveRow>(alive_).first(found);
}

}  // namespace headway::lmhead
