#include "lmhead/direction_forecast.h"

#include <algorithm>
#include <cmath>

#include "kernels/tiles.h"
#include "lmhead/scores.h"

namespace headway::lmhead {
namespace {

constexpr int64_t kMostRows = 2048;

}  // namespace

DirectionProducts ProductsWith(const DirectionBasis& basis, const float* x, int64_t num_channels) {
  DirectionProducts sums{};
  for (int64_t c = 0; c < num_channels; ++c) {
    const float factor = x[c];
    const float* row = basis.data() + static_cast<size_t>(c) * kMostDirections;
    for (size_t d = 0; d < kMostDirections; ++d) sums[d] += factor * row[d];
  }
  return sums;
}

DirectionForecast::DirectionForecast(const Inputs& inputs, const DirectionBasis& basis)
    : num_rows_(static_cast<double>(inputs.num_rows)),
      channels_(inputs.num_channels),
      row_bytes_(inputs.row_bytes) {
  const auto num_states = static_cast<int64_t>(inputs.best_logits.size());
  std::vector<const float*> states;
  for (int64_t t = 0; t < num_states; ++t) {
    states.push_back(inputs.states.data() + t * channels_);
    states_.push_back(PartsOf(basis, states.back()));
    best_.push_back(inputs.best_logits[static_cast<size_t>(t)]);
  }
  const int64_t num_rows = static_cast<int64_t>(inputs.rows.size()) / channels_;
  const int64_t used_rows = std::min(num_rows, kMostRows);
  for (int64_t i = 0; i < used_rows; ++i) {
    const float* row = inputs.rows.data() + i * num_rows / used_rows * channels_;
    rows_.push_back(PartsOf(basis, row));
    for (const float* state : states) {
      float sum = 0.0F;
      for (int64_t c = 0; c < channels_; ++c) sum += row[c] * state[c];
      logits_.push_back(sum);
    }
  }
}

double DirectionForecast::Bytes(size_t k) const {
  const kernels::PlaneShape shape{.channels = channels_, .directions = static_cast<int64_t>(k)};
  const double signs = static_cast<double>(kernels::SignTileBytes(shape)) / kernels::kSignTileRows;
  const auto record = static_cast<double>(kernels::RefineRecordBytes(shape));
  const auto third = static_cast<double>(kernels::RefineBitsBytes(channels_));
  double sum = 0.0;
  for (size_t t = 0; t < states_.size(); ++t) {
    const std::array<double, 3> shares = SharesLeft(k, t);
    const double strips = 1.0 - std::exp(-static_cast<double>(kernels::kStripRows) * shares[2]);
    const double bytes =
        (shares[0] * record + shares[1] * third) * kRecordCost + strips * row_bytes_ * kStripCost;
    sum += std::min(bytes, row_bytes_);
  }
  return num_rows_ * (signs + sum / static_cast<double>(states_.size()));
}

std::array<double, 3> DirectionForecast::SharesLeft(size_t k, size_t state) const {
  std::array<double, 3> left{};
  const double root = std::sqrt(static_cast<double>(channels_));
  for (size_t i = 0; i < rows_.size(); ++i) {
    const double sigma = rows_[i][k] * states_[state][k] / root;
    const double missing = static_cast<double>(best_[state]) - logits_[i * states_.size() + state];
    for (size_t stage = 0; stage < left.size(); ++stage) {
      left[stage] += kExpectedRadii[stage] * sigma >= missing ? 1.0 : 0.0;
    }
  }
  for (double& share : left) share /= static_cast<double>(rows_.size());
  return left;
}

DirectionForecast::Parts DirectionForecast::PartsOf(const DirectionBasis& basis,
                                                    const float* x) const {
  const DirectionProducts products = ProductsWith(basis, x, channels_);
  double squares = 0.0;
  for (int64_t c = 0; c < channels_; ++c) squares += static_cast<double>(x[c]) * x[c];
  Parts parts{};
  for (size_t k = 0; k <= kMostDirections; ++k) {
    parts[k] = std::sqrt(std::max(0.0, squares));
    if (k < kMostDirections) squares -= static_cast<double>(products[k]) * products[k];
  }
  return parts;
}

}  // namespace headway::lmhead
