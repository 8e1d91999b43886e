#include "lmhead/common_directions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "kernels/plane_layout.h"
#include "lmhead/direction_forecast.h"
#include "lmhead/random_bits.h"
#include "tensor/codec.h"

namespace headway::lmhead {
namespace {

constexpr int64_t kSampledRows = 8192;
constexpr size_t kMost = kMostDirections;
constexpr int kRounds = 16;
constexpr int64_t kSlices = 16;  // whose sums are added in order, whoever makes them
// Rows alone: a direction must hold that many times the average energy. For independent rows the
// largest holds (1 + sqrt(D / rows))^2, 2.6 for 8,192 rows of 3,072.
constexpr double kOutstanding = 12.0;

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

// Adds X^T X B / energy to `next` [D, kMost], and what the directions hold to `held`.
void AddMoment(const Vectors& x, const DirectionBasis& basis, double energy, ThreadPool* pool,
               std::vector<double>* next, std::array<double, kMost>* held) {
  const int64_t D = x.channels;
  std::vector<DirectionBasis> sums(static_cast<size_t>(kSlices));
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
        const DirectionProducts products = ProductsWith(basis, x.At(i), D);
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
DirectionBasis Iterate(const Vectors& rows, const Vectors& states, ThreadPool* pool, Held* held) {
  const int64_t D = rows.channels;
  RandomBits bits(RotationSeed::FromNumber(0), 0);  // any start does; always the same one
  std::vector<double> columns(static_cast<size_t>(D) * kMost);
  for (double& value : columns) value = bits.NextNormal();
  double rows_rest = rows.energy;
  double states_rest = states.energy;
  DirectionBasis basis(columns.size());
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

struct Count {
  size_t directions = 0;
  double forecast = 0.0;  // in full passes
};

// As many as make a token cost least, by the states that were kept to judge.
Count CountFor(const ConstTensorView& rows, const Vectors& sample, const RecordedStates& states,
               const DirectionBasis& basis, size_t most) {
  const auto row_bytes = static_cast<double>(rows.row_stride_bytes);
  const DirectionForecast forecast({.num_rows = rows.shape[0],
                                    .num_channels = sample.channels,
                                    .row_bytes = row_bytes,
                                    .rows = sample.values,
                                    .states = states.judged,
                                    .best_logits = states.best_logits},
                                   basis);
  Count best;
  double least = forecast.Bytes(0);
  for (size_t k = 1; k <= most; ++k) {
    const double bytes = forecast.Bytes(k);
    if (bytes >= least) continue;
    best.directions = k;
    least = bytes;
  }
  best.forecast = least / (static_cast<double>(rows.shape[0]) * row_bytes);
  return best;
}

size_t CountOutstanding(const Held& held, const Vectors& rows) {
  const double average = rows.energy / static_cast<double>(rows.channels);
  size_t count = 0;
  while (count < kMost && held.rows[count] > kOutstanding * average) ++count;
  return count;
}

}  // namespace

CommonDirections FindDirections(const ConstTensorView& rows, const RecordedStates& states,
                                ThreadPool* pool, int64_t most) {
  const int64_t D = rows.shape.Columns();
  // Fewer channels than that are not worth it, and might be no more than directions.
  if (D < 2 * kernels::kMaxDirections) return {};
  const Vectors sample = Sample(rows, pool);
  const Vectors seen{.values = states.hidden, .channels = D, .energy = EnergyOf(states.hidden)};
  if (!(sample.energy > 0.0) || !std::isfinite(sample.energy + seen.energy)) return {};
  Held held;
  const DirectionBasis basis = Iterate(sample, seen, pool, &held);
  const auto limit = std::min(kMost, static_cast<size_t>(std::max<int64_t>(0, most)));
  CommonDirections found;
  size_t count = std::min(limit, CountOutstanding(held, sample));
  if (!states.best_logits.empty()) {
    const Count chosen = CountFor(rows, sample, states, basis, limit);
    count = chosen.directions;
    found.forecast = chosen.forecast;
  }
  found.values.resize(count * static_cast<size_t>(D));
  for (size_t d = 0; d < count; ++d) {
    for (size_t c = 0; c < static_cast<size_t>(D); ++c)
      found.values[d * static_cast<size_t>(D) + c] = basis[c * kMost + d];
  }
  return found;
}

}  // namespace headway::lmhead
