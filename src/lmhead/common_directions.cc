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
// Every fourth state is kept from the search for directions: the forecast of bytes looks at those
// alone. Directions fit the states that they were found by.
constexpr int64_t kKeptStates = 4;
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

// The states whose place modulo kKeptStates is not, or is, the last.
std::vector<int64_t> PlacesOf(const RecordedStates& states, bool kept) {
  std::vector<int64_t> places;
  for (size_t t = 0; t < states.best_logits.size(); ++t) {
    const auto place = static_cast<int64_t>(t);
    if ((place % kKeptStates == kKeptStates - 1) == kept) places.push_back(place);
  }
  return places;
}

Vectors StatesAt(const RecordedStates& states, int64_t channels,
                 const std::vector<int64_t>& places) {
  Vectors chosen{.values = {}, .channels = channels};
  for (const int64_t place : places) {
    const auto first = states.hidden.begin() + place * channels;
    chosen.values.insert(chosen.values.end(), first, first + channels);
  }
  chosen.energy = EnergyOf(chosen.values);
  return chosen;
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

// As many as make a token read least, by the states that were kept.
size_t CountFor(const ConstTensorView& rows, const Vectors& sample, const RecordedStates& states,
                const DirectionBasis& basis) {
  const std::vector<int64_t> places = PlacesOf(states, true);
  const Vectors kept = StatesAt(states, sample.channels, places);
  std::vector<float> best_logits;
  best_logits.reserve(places.size());
  for (const int64_t place : places)
    best_logits.push_back(states.best_logits[static_cast<size_t>(place)]);
  const DirectionForecast forecast({.num_rows = rows.shape[0],
                                    .num_channels = sample.channels,
                                    .rows = sample.values,
                                    .states = kept.values,
                                    .best_logits = best_logits},
                                   basis);
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
  const Vectors seen = StatesAt(states, D, PlacesOf(states, false));
  if (!(sample.energy > 0.0) || !std::isfinite(sample.energy + seen.energy)) return {};
  Held held;
  const DirectionBasis basis = Iterate(sample, seen, pool, &held);
  const auto num_states = static_cast<int64_t>(states.best_logits.size());
  const size_t count = num_states < kKeptStates ? CountOutstanding(held, sample)
                                                : CountFor(rows, sample, states, basis);
  std::vector<float> directions(count * static_cast<size_t>(D));
  for (size_t d = 0; d < count; ++d) {
    for (size_t c = 0; c < static_cast<size_t>(D); ++c)
      directions[d * static_cast<size_t>(D) + c] = basis[c * kMost + d];
  }
  return directions;
}

}  // namespace headway::lmhead
