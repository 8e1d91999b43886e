#include "truth/oracle/ops.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "tensor/half.h"

namespace headway::oracle {
namespace {

constexpr size_t kBlock = 32;
// docs/arithmetic.md, "Activations for quantised weights": smaller blocks count as zero.
constexpr float kSmallestBlock = 0x1p-100F;

// The values as a softmax weighs them, in place.
void Softmax(std::vector<double>* scores) {
  const double max = *std::max_element(scores->begin(), scores->end());
  double sum = 0;
  for (double& score : *scores) {
    score = std::exp(score - max);
    sum += score;
  }
  for (double& score : *scores) score /= sum;
}

double Activate(graph::Activation activation, double x) {
  switch (activation) {
    case graph::Activation::kSilu:
      return x / (1 + std::exp(-x));
    case graph::Activation::kGeluTanh:
      break;
  }
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

}  // namespace

Matrix RmsNorm(const Matrix& x, std::span<const float> gain, double eps) {
  const size_t D = gain.size();
  Matrix y(x.size());
  for (size_t row = 0; row < x.size(); row += D) {
    double squares = 0;
    for (size_t c = 0; c < D; ++c) squares += x[row + c] * x[row + c];
    const double scale = 1 / std::sqrt(squares / static_cast<double>(D) + eps);
    for (size_t c = 0; c < D; ++c) y[row + c] = x[row + c] * scale * static_cast<double>(gain[c]);
  }
  return y;
}

Matrix AddBias(Matrix x, std::span<const float> vector) {
  for (size_t i = 0; i < x.size(); ++i) x[i] += static_cast<double>(vector[i % vector.size()]);
  return x;
}

Matrix Slice(const Matrix& x, int64_t channels, int64_t begin, int64_t end) {
  Matrix y;
  for (auto row = x.begin(); row != x.end(); row += channels)
    y.insert(y.end(), row + begin, row + end);
  return y;
}

Matrix Top1(const Matrix& x, int64_t num_tokens) {
  const auto channels = static_cast<int64_t>(x.size()) / num_tokens;
  Matrix y;
  for (auto row = x.begin(); row != x.end(); row += channels) {
    const auto best = std::max_element(row, row + channels);
    y.insert(y.end(), {*best, static_cast<double>(best - row)});
  }
  return y;
}

Matrix BlockMax(const Matrix& x, int64_t num_tokens, int64_t rows) {
  const auto channels = static_cast<int64_t>(x.size()) / num_tokens;
  Matrix y;
  for (auto row = x.begin(); row != x.end(); row += channels) {
    for (int64_t first = 0; first < channels; first += rows)
      y.push_back(*std::max_element(row + first, row + std::min(first + rows, channels)));
  }
  return y;
}

Matrix Rotary(Matrix x, int64_t num_tokens, const graph::RotaryAttributes& attributes,
              std::span<const double> cos, std::span<const double> sin) {
  const auto d = static_cast<size_t>(attributes.head_dim);
  const auto half = static_cast<size_t>(attributes.n_rot / 2);
  const size_t channels = x.size() / static_cast<size_t>(num_tokens);
  for (size_t t = 0; t < static_cast<size_t>(num_tokens); ++t) {
    for (size_t head = t * channels; head < (t + 1) * channels; head += d) {
      for (size_t i = 0; i < half; ++i) {
        double& a = x[head + (attributes.pairs ? 2 * i : i)];
        double& b = x[head + (attributes.pairs ? 2 * i + 1 : i + half)];
        const double c = cos[t * half + i];
        const double s = sin[t * half + i];
        const double turned = a * c - b * s;
        b = a * s + b * c;
        a = turned;
      }
    }
  }
  return x;
}

Matrix Attention(const Matrix& q, const Matrix& keys, const Matrix& values, int64_t first_position,
                 const graph::AttentionAttributes& attributes) {
  const auto d = static_cast<size_t>(attributes.head_dim);
  const auto H = static_cast<size_t>(attributes.num_heads);
  const auto Hk = static_cast<size_t>(attributes.num_kv_heads);
  Matrix out(q.size());
  for (size_t t = 0; t < q.size() / (H * d); ++t) {
    const int64_t position = first_position + static_cast<int64_t>(t);
    const int64_t begin =
        attributes.window > 0 ? std::max<int64_t>(0, position - attributes.window + 1) : 0;
    for (size_t h = 0; h < H; ++h) {
      const double* query = q.data() + (t * H + h) * d;
      const size_t kv = h / (H / Hk) * d;  // first channel of the head's keys and values
      std::vector<double> weights;
      for (int64_t j = begin; j <= position; ++j) {
        double score = 0;
        for (size_t c = 0; c < d; ++c)
          score += query[c] * keys[static_cast<size_t>(j) * Hk * d + kv + c];
        weights.push_back(score * static_cast<double>(attributes.scale));
      }
      weights = SoftCap(std::move(weights), static_cast<double>(attributes.soft_cap));
      Softmax(&weights);
      for (size_t c = 0; c < d; ++c) {
        double sum = 0;
        for (size_t i = 0; i < weights.size(); ++i) {
          sum += weights[i] * values[(static_cast<size_t>(begin) + i) * Hk * d + kv + c];
        }
        out[(t * H + h) * d + c] = sum;
      }
    }
  }
  return out;
}

Matrix Gate(graph::Activation activation, Matrix gate, const Matrix& up) {
  for (size_t i = 0; i < gate.size(); ++i) gate[i] = Activate(activation, gate[i]) * up[i];
  return gate;
}

Matrix Add(Matrix x, const Matrix& y) {
  for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  return x;
}

Matrix Scale(Matrix x, double factor) {
  for (double& value : x) value *= factor;
  return x;
}

Matrix SoftCap(Matrix x, double cap) {
  for (size_t i = 0; cap > 0 && i < x.size(); ++i) x[i] = cap * std::tanh(x[i] / cap);
  return x;
}

Matrix RoundToBlocks(Matrix x) {
  for (size_t block = 0; block < x.size(); block += kBlock) {
    float largest = 0.0F;
    for (size_t c = block; c < block + kBlock; ++c)
      largest = std::max(largest, std::fabs(static_cast<float>(x[c])));
    const bool zero = largest < kSmallestBlock;
    const float inverse = zero ? 0.0F : 127.0F / largest;
    const float step = zero ? 0.0F : largest / 127.0F;
    for (size_t c = block; c < block + kBlock; ++c) {
      x[c] = static_cast<double>(std::nearbyintf(static_cast<float>(x[c]) * inverse)) *
             static_cast<double>(step);
    }
  }
  return x;
}

double RoundToHalf(double x) { return static_cast<double>(ToFloat(ToF16(static_cast<float>(x)))); }

}  // namespace headway::oracle
