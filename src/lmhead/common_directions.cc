#include "lmhead/common_directions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "kernels/plane_layout.h"
#include "lmhead/random_bits.h"
#include "tensor/codec.h"

namespace headway::lmhead {
namespace {

constexpr int64_t kSampledRows = 8192;
// Every fourth state is kept from the search for directions: the forecast of bytes looks at those
// alone, at no more than kMostStates. Directions fit the states that they were found by.
constexpr int64_t kKeptStates = 4;
constexpr int64_t kMostStates = 64;
constexpr int64_t kForecastRows = 2048;
constexpr auto kMost = static_cast<size_t>(kernels::kMaxDirections);
constexpr int kRounds = 16;
constexpr int64_t kSlices = 16;  // whose sums are added in order, whoever makes them
// Rows alone: a direction must hold that many times the average energy. For independent rows the
// largest holds (1 + sqrt(D / rows))^2, 2.6 for 8,192 rows of 3,072.
constexpr double kOutstanding = 12.0;
// A row reaches the threshold after one bit, two and three when its logit is within about this many
// sigma of its rest: the radius.
constexpr double kReach[3] = {4.9, 2.7, 1.6};
// What a record, and a strip of exact rows, costs against bytes of a stream (search.cc).
constexpr double kRecordCost = 2.0;
constexpr double kStripCost = 1.3;

// Vectors of D floats, one after the other.
struct Vectors {
  std::vector<float> values;
  int64_t channels = 0;
  double energy = 0.0;  // sum of squares

  int64_t Count() const { return static_cast<int64_t>(values.size()) / channels; }
  const float* At(int64_t i) const { return values.data() + i * channels; }
};

double EnergyOf(const std::vector<float>& values) {
  double energy = 0.0;
  for (const float value : values) energy += static_cast<double>(value) * value;
  return energy;
}

// The states whose place modulo kKeptStates is not, or is, the last.
std::vector<int64_t> PlacesOf(const RecordedStates& states, bool kept) {
  std::vector<int64_t> places;
  for (size_t t = 0; t < states.best_logits.size(); ++t) {
    const auto place = static_cast<int64_t>(t);
    if ((place % kKeptStates == kKeptStates - 1) == kept) places.push_back(place);
  }
  return places;
}

Vectors StatesToFit(const RecordedStates& states, int64_t channels) {
  Vectors fit{.values = {}, .channels = channels};
  for (const int64_t place : PlacesOf(states, false)) {
    const auto first = states.hidden.begin() + place * channels;
    fit.values.insert(fit.values.end(), first, first + channels);
  }
  fit.energy = EnergyOf(fit.values);
  return fit;
}

Vectors Sample(const ConstTensorView& rows, ThreadPool* pool) {
  const int64_t V = rows.shape[0];
  const int64_t D = rows.shape.Columns();
  const int64_t count = std::min(V, kSampledRows);
  Vectors sample{.values = std::vector<float>(static_cast<size_t>(count * D)), .channels = D};
  ChunkQueue queue;
  pool->Run([&](int) {
    int64_t i = 0;
    int64_t end = 0;
    while (queue.Take(count, 64, &i, &end)) {
      for (; i < end; ++i)
        DequantiseRow(rows.type, rows.Row(i * V / count), D, sample.values.data() + i * D);
    }
  });
  sample.energy = EnergyOf(sample.values);
  return sample;
}

// Channels outside, so that a vector's products with all directions are one stream: [D, kMost].
using Basis = std::vector<float>;

using Products = std::array<float, kMost>;

Products ProductsWith(const Basis& basis, const float* x, int64_t channels) {
  Products sums{};
  for (int64_t c = 0; c < channels; ++c) {
    const float factor = x[c];
    const float* row = basis.data() + static_cast<size_t>(c) * kMost;
    for (size_t d = 0; d < kMost; ++d) sums[d] += factor * row[d];
  }
  return sums;
}

// Adds X^T X B / energy to `next` [D, kMost], and what the directions hold to `held`.
void AddMoment(const Vectors& x, const Basis& basis, double energy, ThreadPool* pool,
               std::vector<double>* next, std::array<double, kMost>* held) {
  const int64_t D = x.channels;
  std::vector<Basis> sums(static_cast<size_t>(kSlices));
  std::vector<std::array<double, kMost>> squares(static_cast<size_t>(kSlices));
  ChunkQueue queue;
  pool->Run([&](int) {
    int64_t slice = 0;
    int64_t end = 0;
    while (queue.Take(kSlices, 1, &slice, &end)) {
      const auto s = static_cast<size_t>(slice);
      sums[s].assign(basis.size(), 0.0F);
      const int64_t last = (slice + 1) * x.Count() / kSlices;
      for (int64_t i = slice * x.Count() / kSlices; i < last; ++i) {
        const Products products = ProductsWith(basis, x.At(i), D);
        for (size_t d = 0; d < kMost; ++d)
          squares[s][d] += static_cast<double>(products[d]) * products[d];
        for (int64_t c = 0; c < D; ++c) {
          const float factor = x.At(i)[c];
          float* out = sums[s].data() + static_cast<size_t>(c) * kMost;
          for (size_t d = 0; d < kMost; ++d) out[d] += factor * products[d];
        }
      }
    }
  });
  for (size_t s = 0; s < sums.size(); ++s) {
    for (size_t i = 0; i < next->size(); ++i)
      (*next)[i] += static_cast<double>(sums[s][i]) / energy;
    for (size_t d = 0; d < kMost; ++d) (*held)[d] += squares[s][d];
  }
}

// Gram and Schmidt, twice: columns of [D, kMost] become orthonormal. Columns of nothing become 0.
void Orthonormalise(std::vector<double>* columns, int64_t channels) {
  const auto D = static_cast<size_t>(channels);
  const auto at = [&](size_t c, size_t d) -> double& { return (*columns)[c * kMost + d]; };
  for (int pass = 0; pass < 2; ++pass) {
    for (size_t d = 0; d < kMost; ++d) {
      for (size_t other = 0; other < d; ++other) {
        double dot = 0.0;
        for (size_t c = 0; c < D; ++c) dot += at(c, d) * at(c, other);
        for (size_t c = 0; c < D; ++c) at(c, d) -= dot * at(c, other);
      }
      double squares = 0.0;
      for (size_t c = 0; c < D; ++c) squares += at(c, d) * at(c, d);
      const double scale = squares > 1e-280 ? 1.0 / std::sqrt(squares) : 0.0;
      for (size_t c = 0; c < D; ++c) at(c, d) *= scale;
    }
  }
}

// What every direction holds of rows and of states.
struct Held {
  std::array<double, kMost> rows{};
  std::array<double, kMost> states{};
};

double Rest(double energy, const std::array<double, kMost>& held) {
  return std::max(1e-6 * energy, energy - std::accumulate(held.begin(), held.end(), 0.0));
}

// Orthogonal iteration: the leading directions, the first first.
Basis Iterate(const Vectors& rows, const Vectors& states, ThreadPool* pool, Held* held) {
  const int64_t D = rows.channels;
  RandomBits bits(RotationSeed::FromNumber(0), 0);  // any start does; always the same one
  std::vector<double> columns(static_cast<size_t>(D) * kMost);
  for (double& value : columns) value = bits.NextNormal();
  double rows_rest = rows.energy;
  double states_rest = states.energy;
  Basis basis(columns.size());
  for (int round = 0; round < kRounds; ++round) {
    Orthonormalise(&columns, D);
    std::copy(columns.begin(), columns.end(), basis.begin());
    std::fill(columns.begin(), columns.end(), 0.0);
    *held = {};
    if (rows.energy > 0.0) AddMoment(rows, basis, rows_rest, pool, &columns, &held->rows);
    if (states.energy > 0.0) AddMoment(states, basis, states_rest, pool, &columns, &held->states);
    rows_rest = Rest(rows.energy, held->rows);
    states_rest = Rest(states.energy, held->states);
  }
  return basis;
}

// Bytes that a token reads with the first k directions, about: the signs of all rows, records of
// those that reach the best logit after one bit, never more than the whole head at a byte a weight.
class Forecast {
 public:
  Forecast(const ConstTensorView& rows, const Vectors& sample, const RecordedStates& states,
           const Basis& basis)
      : num_rows_(static_cast<double>(rows.shape[0])), channels_(sample.channels) {
    const std::vector<int64_t> kept = PlacesOf(states, true);
    const auto num_kept = static_cast<int64_t>(kept.size());
    std::vector<int64_t> used;
    for (int64_t t = 0; t < std::min(num_kept, kMostStates); ++t)
      used.push_back(kept[static_cast<size_t>(t * num_kept / std::min(num_kept, kMostStates))]);
    for (const int64_t place : used) {
      states_.push_back(PartsOf(basis, states.hidden.data() + place * channels_));
      best_.push_back(states.best_logits[static_cast<size_t>(place)]);
    }
    const int64_t count = std::min(sample.Count(), kForecastRows);
    for (int64_t i = 0; i < count; ++i) {
      const float* row = sample.At(i * sample.Count() / count);
      rows_.push_back(PartsOf(basis, row));
      for (const int64_t place : used) {
        const float* state = states.hidden.data() + place * channels_;
        float sum = 0.0F;
        for (int64_t c = 0; c < channels_; ++c) sum += row[c] * state[c];
        logits_.push_back(sum);
      }
    }
  }

  double Bytes(size_t k) const {
    const auto full = static_cast<double>(channels_);
    const kernels::PlaneShape shape{.channels = channels_, .directions = static_cast<int64_t>(k)};
    const double signs =
        static_cast<double>(kernels::SignTileBytes(shape)) / kernels::kSignTileRows;
    const auto record = static_cast<double>(kernels::RefineRecordBytes(shape));
    const auto third = static_cast<double>(kernels::RefineBitsBytes(channels_));
    double sum = 0.0;
    for (size_t t = 0; t < states_.size(); ++t) {
      const std::array<double, 3> shares = SharesLeft(k, t);
      const double strips = 1.0 - std::exp(-static_cast<double>(kernels::kStripRows) * shares[2]);
      const double bytes =
          (shares[0] * record + shares[1] * third) * kRecordCost + strips * full * kStripCost;
      sum += std::min(bytes, full);
    }
    return num_rows_ * (signs + sum / static_cast<double>(states_.size()));
  }

 private:
  // Norms of what is left after 0, 1, ... directions.
  using Parts = std::array<double, kMost + 1>;

  // Of the rows, with k directions, after one bit, two and three.
  std::array<double, 3> SharesLeft(size_t k, size_t t) const {
    std::array<double, 3> left{};
    const double root = std::sqrt(static_cast<double>(channels_));
    for (size_t i = 0; i < rows_.size(); ++i) {
      const double sigma = rows_[i][k] * states_[t][k] / root;
      const double missing = static_cast<double>(best_[t]) - logits_[i * states_.size() + t];
      for (size_t stage = 0; stage < left.size(); ++stage) {
        left[stage] += kReach[stage] * sigma >= missing ? 1.0 : 0.0;
      }
    }
    for (double& share : left) share /= static_cast<double>(rows_.size());
    return left;
  }

  Parts PartsOf(const Basis& basis, const float* x) const {
    const Products products = ProductsWith(basis, x, channels_);
    double squares = 0.0;
    for (int64_t c = 0; c < channels_; ++c) squares += static_cast<double>(x[c]) * x[c];
    Parts parts{};
    for (size_t k = 0; k <= kMost; ++k) {
      parts[k] = std::sqrt(std::max(0.0, squares));
      if (k < kMost) squares -= static_cast<double>(products[k]) * products[k];
    }
    return parts;
  }

  double num_rows_;
  int64_t channels_;
  std::vector<Parts> states_;
  std::vector<float> best_;
  std::vector<Parts> rows_;
  std::vector<float> logits_;  // [rows, states]
};

size_t CountFor(const Forecast& forecast) {
  size_t best = 0;
  double least = forecast.Bytes(0);
  for (size_t k = 1; k <= kMost; ++k) {
    const double bytes = forecast.Bytes(k);
    if (bytes >= least) continue;
    best = k;
    least = bytes;
  }
  return best;
}

size_t CountOutstanding(const Held& held, const Vectors& rows) {
  const double average = rows.energy / static_cast<double>(rows.channels);
  size_t count = 0;
  while (count < kMost && held.rows[count] > kOutstanding * average) ++count;
  return count;
}

}  // namespace

std::vector<float> FindDirections(const ConstTensorView& rows, const RecordedStates& states,
                                  ThreadPool* pool) {
  const int64_t D = rows.shape.Columns();
  // Fewer channels than that are not worth it, and might be no more than directions.
  if (D < 2 * kernels::kMaxDirections) return {};
  const Vectors sample = Sample(rows, pool);
  const Vectors seen = StatesToFit(states, D);
  if (!(sample.energy > 0.0) || !std::isfinite(sample.energy + seen.energy)) return {};
  Held held;
  const Basis basis = Iterate(sample, seen, pool, &held);
  const auto num_states = static_cast<int64_t>(states.best_logits.size());
  const size_t count = num_states < kKeptStates ? CountOutstanding(held, sample)
                                                : CountFor(Forecast(rows, sample, states, basis));
  std::vector<float> directions(count * static_cast<size_t>(D));
  for (size_t d = 0; d < count; ++d) {
    for (size_t c = 0; c < static_cast<size_t>(D); ++c)
      directions[d * static_cast<size_t>(D) + c] = basis[c * kMost + d];
  }
  return directions;
}

}  // namespace headway::lmhead
