#include "gates/agreement.h"

#include <algorithm>
#include <cmath>

namespace headway::gates {
namespace {

// Rows of logits compared at once: the reference widens the head's weights once per batch.
constexpr int64_t kBatch = 16;

// ln of the sum of exp.
template <class T>
double LogSum(std::span<const T> logits) {
  const double largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0;
  for (const T logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum);
}

// Adds up rows and makes the report.
class AgreementTally {
 public:
  AgreementTally(std::span<const int32_t> ids, const straightline::StraightLine& reference,
                 std::vector<double> hidden)
      : ids_(ids), reference_(reference), hidden_(std::move(hidden)) {}

  void Add(int64_t position, std::span<const float> logits) {
    if (waiting_.empty()) first_waiting_ = position;
    waiting_.insert(waiting_.end(), logits.begin(), logits.end());
    num_waiting_ = position + 1 - first_waiting_;
    if (num_waiting_ == kBatch) CompareWaiting();
  }

  AgreementReport Finish() {
    if (num_waiting_ > 0) CompareWaiting();
    const auto n = static_cast<double>(report_.positions);
    report_.rms_logit_error = std::sqrt(squared_error_ / static_cast<double>(num_logits_));
    report_.mean_kl = kl_ / n;
    const double scored = std::max(1.0, n - 1);  // nothing follows the last position
    report_.perplexity_of_reference = std::exp(reference_surprise_ / scored);
    report_.perplexity = std::exp(surprise_ / scored);
    return std::move(report_);
  }

 private:
  void CompareWaiting() {
    const int64_t dim = reference_.GetConfig().dim;
    const auto vocab_size = static_cast<size_t>(reference_.GetConfig().vocab_size);
    const auto first = hidden_.begin() + first_waiting_ * dim;
    const std::vector<double> expected = reference_.Head({first, first + num_waiting_ * dim});
    for (int64_t i = 0; i < num_waiting_; ++i) {
      const size_t at = static_cast<size_t>(i) * vocab_size;
      AddRow(first_waiting_ + i, std::span(expected).subspan(at, vocab_size),
             std::span<const float>(waiting_).subspan(at, vocab_size));
    }
    waiting_.clear();
    num_waiting_ = 0;
  }

  void AddRow(int64_t position, std::span<const double> expected, std::span<const float> logits) {
    const RowComparison row = CompareRows(expected, logits);
    if (row.token != row.reference_token) {
      report_.mismatches.push_back({.position = position,
                                    .reference_token = row.reference_token,
                                    .token = row.token,
                                    .reference_gap = row.reference_gap});
    }
    report_.largest_logit_error = std::max(report_.largest_logit_error, row.largest_error);
    report_.largest_kl = std::max(report_.largest_kl, row.kl);
    squared_error_ += row.squared_error;
    num_logits_ += static_cast<int64_t>(logits.size());
    kl_ += row.kl;
    ++report_.positions;
    const auto next = static_cast<size_t>(position + 1);
    if (next < ids_.size()) {
      const auto id = static_cast<size_t>(ids_[next]);
      reference_surprise_ += LogSum(expected) - expected[id];
      surprise_ += LogSum(logits) - static_cast<double>(logits[id]);
    }
  }

  std::span<const int32_t> ids_;
  const straightline::StraightLine& reference_;
  std::vector<double> hidden_;  // [T, D]
  std::vector<float> waiting_;  // [num_waiting_, V]
  int64_t first_waiting_ = 0;
  int64_t num_waiting_ = 0;
  double squared_error_ = 0;
  int64_t num_logits_ = 0;
  double kl_ = 0;
  double reference_surprise_ = 0;
  double surprise_ = 0;
  AgreementReport report_;
};

}  // namespace

int64_t AgreementReport::UnexplainedMismatches() const {
  return std::count_if(mismatches.begin(), mismatches.end(), [&](const Mismatch& mismatch) {
    return mismatch.reference_gap > largest_logit_error;
  });
}

RowComparison CompareRows(std::span<const double> reference, std::span<const float> logits) {
  RowComparison row;
  const auto best = std::max_element(reference.begin(), reference.end());
  row.reference_token = static_cast<int32_t>(best - reference.begin());
  row.token = static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  const double reference_sum = LogSum(reference);
  const double sum = LogSum(logits);
  double second = -INFINITY;
  for (size_t i = 0; i < reference.size(); ++i) {
    if (static_cast<int32_t>(i) != row.reference_token) second = std::max(second, reference[i]);
    const double error = static_cast<double>(logits[i]) - reference[i];
    row.largest_error = std::max(row.largest_error, std::abs(error));
    row.squared_error += error * error;
    row.kl += std::exp(reference[i] - reference_sum) * (sum - reference_sum - error);
  }
  row.reference_gap = *best - second;
  return row;
}

Result<AgreementReport> Compare(std::span<const int32_t> ids,
                                const straightline::StraightLine& reference,
                                const LogitsSource& source) {
  if (ids.empty()) {
    return Fail(ErrorCode::kInvalidInput, "agreement: expected at least one token, found none");
  }
  HW_TRY(std::vector<double> hidden, reference.HiddenStates(ids));
  AgreementTally comparison(ids, reference, std::move(hidden));
  HW_TRY_VOID(source(ids, 0, [&](int64_t position, std::span<const float> logits) {
    comparison.Add(position, logits);
  }));
  return comparison.Finish();
}

}  // namespace headway::gates
