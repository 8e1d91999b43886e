#pragma once

// For the tests of this folder: random weights, and the decoder layers written straight from the
// formulas in double precision, sharing nothing with the builders.

#include <cmath>
#include <cstdint>
#include <map>
#include <vector>

#include "device/coreml/run/interpreter.h"
#include "device/coreml/shards/layer_shard.h"

namespace headway::mil {

// A value of a counter-based generator, uniform in [-1, 1].
inline float RandomAt(uint64_t seed, uint64_t index) {
  uint64_t z = (seed + 1) * 0x9E3779B97F4A7C15U + index * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  z ^= z >> 31;
  return static_cast<float>(static_cast<double>(z >> 11) * 0x1p-52 - 1.0);
}

class TestLayers {
 public:
  explicit TestLayers(const LayerShardSpec& spec) : s_(spec) {}

  LayerWeightSource Source() const {
    return [this](LayerWeight weight, int layer, int64_t first_row,
                  std::span<float> out) -> Result<void> {
      const int64_t columns = Columns(weight);
      for (size_t i = 0; i < out.size(); ++i) {
        out[i] = At(weight, layer, first_row * columns + static_cast<int64_t>(i));
      }
      return {};
    };
  }

  // Matrices of about unit gain, norms around one.
  float At(LayerWeight weight, int layer, int64_t index) const {
    const auto seed = static_cast<uint64_t>(layer) * 16 + static_cast<uint64_t>(weight);
    const float value = RandomAt(seed, static_cast<uint64_t>(index));
    if (weight == LayerWeight::kAttentionNorm || weight == LayerWeight::kFfnNorm)
      return 1.0F + 0.25F * value;
    return value / std::sqrt(static_cast<float>(Columns(weight)) / 3.0F);
  }

  int64_t Columns(LayerWeight weight) const {
    switch (weight) {
      case LayerWeight::kAttentionNorm:
      case LayerWeight::kFfnNorm:
      case LayerWeight::kQkv:
      case LayerWeight::kGateUp:
        return s_.hidden_size;
      case LayerWeight::kAttentionOut:
        return s_.num_heads * s_.head_dim;
      case LayerWeight::kDown:
        return s_.intermediate_size;
      case LayerWeight::kAttentionPostNorm:
      case LayerWeight::kFfnPostNorm:
      case LayerWeight::kQueryNorm:
      case LayerWeight::kKeyNorm:
      case LayerWeight::kQkvBias:
      case LayerWeight::kAttentionOutBias:
      case LayerWeight::kGateUpBias:
      case LayerWeight::kDownBias:
        break;
    }
    return 1;  // vectors of other forms: numbers of one size
  }

  // One token through all layers; `cache[2 layer + (0 keys, 1 values)]` holds [position][kv head,
  // d].
  std::vector<double> Step(std::vector<double> x, int64_t position,
                           std::map<int, std::vector<std::vector<double>>>* cache) const {
    for (int l = s_.first_layer; l < s_.first_layer + s_.num_layers; ++l) {
      x = Sum(x, MatVec(LayerWeight::kAttentionOut, l, s_.hidden_size,
                        Attend(l, Norm(LayerWeight::kAttentionNorm, l, x), position, cache)));
      const int64_t F = s_.intermediate_size;
      const auto both = MatVec(LayerWeight::kGateUp, l, 2 * F, Norm(LayerWeight::kFfnNorm, l, x));
      std::vector<double> mixed(static_cast<size_t>(F));
      for (size_t i = 0; i < mixed.size(); ++i) {
        mixed[i] = both[i] / (1 + std::exp(-both[i])) * both[i + static_cast<size_t>(F)];
      }
      x = Sum(x, MatVec(LayerWeight::kDown, l, s_.hidden_size, mixed));
    }
    return x;
  }

  static double Angle(int64_t position, int64_t pair, int64_t rotary) {
    return static_cast<double>(position) *
           std::pow(100.0, -2.0 * static_cast<double>(pair) / static_cast<double>(rotary));
  }

 private:
  static std::vector<double> Sum(std::vector<double> a, const std::vector<double>& b) {
    for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
  }
  std::vector<double> MatVec(LayerWeight weight, int layer, int64_t rows,
                             const std::vector<double>& x) const {
    std::vector<double> y(static_cast<size_t>(rows), 0.0);
    for (size_t r = 0; r < y.size(); ++r) {
      for (size_t c = 0; c < x.size(); ++c) {
        y[r] +=
            static_cast<double>(At(weight, layer, static_cast<int64_t>(r * x.size() + c))) * x[c];
      }
    }
    return y;
  }
  std::vector<double> Norm(LayerWeight weight, int layer, std::vector<double> x) const {
    double squares = 0;
    for (const double v : x) squares += v * v;
    const double scale = 1 / std::sqrt(squares / static_cast<double>(x.size()) +
                                       static_cast<double>(s_.rms_norm_epsilon));
    for (size_t i = 0; i < x.size(); ++i)
      x[i] *= scale * static_cast<double>(At(weight, layer, static_cast<int64_t>(i)));
    return x;
  }
  void Turn(double* head, int64_t position) const {
    const int64_t half = s_.rotary_dims / 2;
    for (int64_t i = 0; i < half; ++i) {
      const double angle = Angle(position, i, s_.rotary_dims);
      const double lo = head[i];
      const double hi = head[i + half];
      head[i] = lo * std::cos(angle) - hi * std::sin(angle);
      head[i + half] = hi * std::cos(angle) + lo * std::sin(angle);
    }
  }
  std::vector<double> Attend(int layer, const std::vector<double>& x, int64_t position,
                             std::map<int, std::vector<std::vector<double>>>* cache) const {
    const int64_t d = s_.head_dim;
    const int64_t q_width = s_.num_heads * d;
    const int64_t kv_width = s_.num_kv_heads * d;
    auto qkv = MatVec(LayerWeight::kQkv, layer, q_width + 2 * kv_width, x);
    for (int64_t h = 0; h < s_.num_heads + s_.num_kv_heads; ++h) Turn(qkv.data() + h * d, position);
    auto& keys = (*cache)[2 * layer];
    auto& values = (*cache)[2 * layer + 1];
    keys.emplace_back(qkv.begin() + q_width, qkv.begin() + q_width + kv_width);
    values.emplace_back(qkv.begin() + q_width + kv_width, qkv.end());
    std::vector<double> out(static_cast<size_t>(q_width), 0.0);
    for (int64_t h = 0; h < s_.num_heads; ++h) {
      const int64_t kv = h / (s_.num_heads / s_.num_kv_heads) * d;
      std::vector<double> scores;
      double total = 0;
      for (const auto& key : keys) {
        double score = 0;
        for (int64_t i = 0; i < d; ++i)
          score += qkv[static_cast<size_t>(h * d + i)] * key[static_cast<size_t>(kv + i)];
        scores.push_back(std::exp(score / std::sqrt(static_cast<double>(d))));
        total += scores.back();
      }
      for (size_t s = 0; s < scores.size(); ++s) {
        for (int64_t i = 0; i < d; ++i) {
          out[static_cast<size_t>(h * d + i)] +=
              scores[s] / total * values[s][static_cast<size_t>(kv + i)];
        }
      }
    }
    return out;
  }

  LayerShardSpec s_;
};

// Inputs of one step of a layer shard for tokens at `position`, `position` + 1, ... ; x: [D, T].
inline TensorMap StepInputs(const LayerShardSpec& s, std::span<const float> x, int64_t T,
                            int64_t position) {
  const int64_t half = s.rotary_dims / 2;
  const bool single = s.tokens == 1;
  std::vector<float> cos(static_cast<size_t>(half * T));
  std::vector<float> sin(cos.size());
  std::vector<float> mask(static_cast<size_t>(T * s.max_seq), kMasked);
  std::vector<float> write(static_cast<size_t>(T * s.max_seq), 0.0F);
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t i = 0; i < half; ++i) {
      const double angle = TestLayers::Angle(position + t, i, s.rotary_dims);
      cos[static_cast<size_t>(i * T + t)] = static_cast<float>(std::cos(angle));
      sin[static_cast<size_t>(i * T + t)] = static_cast<float>(std::sin(angle));
    }
    for (int64_t p = 0; p <= position + t; ++p) mask[static_cast<size_t>(t * s.max_seq + p)] = 0.0F;
    write[static_cast<size_t>((position + t) * T + t)] = 1.0F;
  }
  const Dims rope = single ? Dims{1, half} : Dims{1, 1, half, T};
  return {{"x", MakeTensor(DType::kF16, {1, s.hidden_size, T, 1}, x)},
          {"rope_cos", MakeTensor(DType::kF16, rope, cos)},
          {"rope_sin", MakeTensor(DType::kF16, rope, sin)},
          {"attn_mask", MakeTensor(DType::kF16, {1, 1, T, s.max_seq}, mask)},
          {"kv_write_mask", MakeTensor(DType::kF16, {1, 1, s.max_seq, T}, write)}};
}

}  // namespace headway::mil
