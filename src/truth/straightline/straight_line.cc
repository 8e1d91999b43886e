#include "truth/straightline/straight_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace headway::straightline {
namespace {

// Logits are made for that many positions at a time: [16, V] doubles are 26 MB for the largest
// vocabulary.
constexpr int64_t kHeadTokens = 16;

size_t Index(int64_t i) { return static_cast<size_t>(i); }

// y = x / sqrt(mean(x^2) + eps) * gain, row by row.  Zhang and Sennrich 2019, equation 4.
Vector RmsNorm(const Vector& x, const Vector& gain, double epsilon) {
  const size_t n = gain.size();
  Vector y(x.size());
  for (size_t begin = 0; begin < x.size(); begin += n) {
    double squares = 0;
    for (size_t c = 0; c < n; ++c) squares += x[begin + c] * x[begin + c];
    const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + epsilon);
    for (size_t c = 0; c < n; ++c) y[begin + c] = x[begin + c] * scale * gain[c];
  }
  return y;
}

// Turns the first rotary_dim channels of every head of x [T, heads, d].  Su et al. 2021, equation
// 34; frequencies divided by the factors of LongRoPE (Ding et al. 2024), YaRN or Llama 3. Layers
// with a base of their own know no scaling.
void Rotate(const Config& c, size_t layer, int64_t num_heads, Vector* x) {
  if (c.unrotated[layer]) return;
  const bool local = c.local_base > 0 && !c.sees_all[layer];
  const int64_t width = num_heads * c.head_dim;
  const int64_t num_tokens = static_cast<int64_t>(x->size()) / width;
  const std::span<const double> factors = local ? std::span<const double>() : c.Factors(num_tokens);
  const double base = local ? c.local_base : c.rotary_base;
  const double position_divisor = local ? 1 : c.position_divisor;
  const double size = local ? 1 : c.attention_factor;
  const int64_t num_pairs = c.rotary_dim / 2;
  for (int64_t t = 0; t < num_tokens; ++t) {
    for (int64_t i = 0; i < num_pairs; ++i) {
      const double divisor = factors.empty() ? 1.0 : factors[Index(i)];
      const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(c.rotary_dim);
      const double angle =
          static_cast<double>(t) / position_divisor * std::pow(base, exponent) / divisor;
      const double cosine = std::cos(angle) * size;
      const double sine = std::sin(angle) * size;
      for (int64_t h = 0; h < num_heads; ++h) {
        double* const head = x->data() + t * width + h * c.head_dim;
        double& a = head[c.rotary_pairs ? 2 * i : i];
        double& b = head[c.rotary_pairs ? 2 * i + 1 : i + num_pairs];
        const double turned = a * cosine - b * sine;
        b = a * sine + b * cosine;
        a = turned;
      }
    }
  }
}

// cap tanh(x / cap).  Gemma Team 2024, "Gemma 2", section 2.
double Capped(double x, double cap) { return cap > 0 ? cap * std::tanh(x / cap) : x; }

// One head of one token: softmax(q k scale) v over the positions it sees, all for a window of 0.
void AttendOne(const Config& c, int64_t window, const Vector& k, const Vector& v, int64_t t,
               int64_t kv_head, const double* q, double* out) {
  const int64_t stride = c.num_kv_heads * c.head_dim;
  const int64_t first = window > 0 ? std::max<int64_t>(0, t - window + 1) : 0;
  Vector weight(Index(t - first + 1));
  for (int64_t j = first; j <= t; ++j) {
    const double* const key = k.data() + j * stride + kv_head * c.head_dim;
    double score = 0;
    for (int64_t i = 0; i < c.head_dim; ++i) score += q[i] * key[i];
    weight[Index(j - first)] = Capped(score * c.attention_scale, c.score_cap);
  }
  const double largest = *std::max_element(weight.begin(), weight.end());
  double sum = 0;
  for (double& w : weight) sum += w = std::exp(w - largest);
  for (int64_t j = first; j <= t; ++j) {
    const double* const value = v.data() + j * stride + kv_head * c.head_dim;
    for (int64_t i = 0; i < c.head_dim; ++i) out[i] += weight[Index(j - first)] / sum * value[i];
  }
}

// q: [T, H, d], rotated   k, v: [T, Hk, d], k rotated   result: [T, H, d]
// H / Hk consecutive query heads share a key-value head (Ainslie et al. 2023).
Vector Attention(const Config& c, size_t layer, const Vector& q, const Vector& k, const Vector& v) {
  Vector out(q.size());
  const int64_t window = c.sees_all[layer] ? 0 : c.sliding_window;
  const int64_t width = c.num_heads * c.head_dim;
  for (int64_t t = 0; t < static_cast<int64_t>(q.size()) / width; ++t) {
    for (int64_t h = 0; h < c.num_heads; ++h) {
      const int64_t at = t * width + h * c.head_dim;
      AttendOne(c, window, k, v, t, h * c.num_kv_heads / c.num_heads, q.data() + at,
                out.data() + at);
    }
  }
  return out;
}

// silu(gate) * up.  Shazeer 2020.
Vector SwiGlu(const Vector& gate, const Vector& up) {
  Vector y(gate.size());
  for (size_t i = 0; i < y.size(); ++i) y[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
  return y;
}

// GELU in the form that Gemma was trained with, times up.  Hendrycks and Gimpel 2016.
Vector GegluTanh(const Vector& gate, const Vector& up) {
  const double slope = std::sqrt(2 / std::acos(-1.0));
  Vector y(gate.size());
  for (size_t i = 0; i < y.size(); ++i) {
    const double g = gate[i];
    y[i] = 0.5 * g * (1 + std::tanh(slope * (g + 0.044715 * g * g * g))) * up[i];
  }
  return y;
}

void AddTo(Vector* x, const Vector& y, double factor) {
  for (size_t i = 0; i < x->size(); ++i) (*x)[i] += y[i] * factor;
}

// w x + bias, without a bias where there is none.
Vector Affine(const Matrix& w, const Vector& bias, const Vector& x) {
  Vector y = MatMul(w, x);
  for (size_t i = 0; !bias.empty() && i < y.size(); ++i) y[i] += bias[i % bias.size()];
  return y;
}

// x: [T, D], in place
void Layer(const Config& c, size_t layer, const LayerWeights& w, Vector* x) {
  const Vector a = w.attn_norm.empty() ? *x : RmsNorm(*x, w.attn_norm, c.norm_epsilon);
  Vector q = Affine(w.wq, w.bq, a);
  Vector k = Affine(w.wk, w.bk, a);
  const Vector v = Affine(w.wv, w.bv, a);
  if (!w.q_norm.empty()) q = RmsNorm(q, w.q_norm, c.norm_epsilon);
  if (!w.k_norm.empty()) k = RmsNorm(k, w.k_norm, c.norm_epsilon);
  Rotate(c, layer, c.num_heads, &q);
  Rotate(c, layer, c.num_kv_heads, &k);
  Vector o = Affine(w.wo, w.bo, Attention(c, layer, q, k, v));
  if (!w.attn_post_norm.empty()) o = RmsNorm(o, w.attn_post_norm, c.norm_epsilon);
  AddTo(x, o, c.residual_factor);

  const Vector f = w.ffn_norm.empty() ? *x : RmsNorm(*x, w.ffn_norm, c.norm_epsilon);
  const Vector gate = Affine(w.gate, w.bgate, f);
  const Vector up = Affine(w.up, w.bup, f);
  const bool gelu = c.architecture == "gemma2" || c.architecture == "gemma3";
  const Vector hidden = gelu ? GegluTanh(gate, up) : SwiGlu(gate, up);
  Vector down = Affine(w.down, w.bdown, hidden);
  if (!w.ffn_post_norm.empty()) down = RmsNorm(down, w.ffn_post_norm, c.norm_epsilon);
  AddTo(x, down, c.residual_factor);
}

}  // namespace

Result<StraightLine> StraightLine::Open(const gguf::GgufFile& file) {
  HW_TRY(Config config, ReadConfig(file));
  HW_TRY(Weights weights, FindWeights(file, config));
  return StraightLine(std::move(config), std::move(weights));
}

Result<std::vector<double>> StraightLine::HiddenStates(std::span<const int32_t> ids) const {
  Vector x(ids.size() * Index(config_.dim));  // [T, D]
  for (size_t t = 0; t < ids.size(); ++t) {
    if (ids[t] < 0 || ids[t] >= config_.vocab_size) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("straightline: token {}: expected an id from 0 to {}, found {}", t,
                              config_.vocab_size - 1, ids[t]));
    }
    weights_.embedding.ReadRow(ids[t], x.data() + t * Index(config_.dim));
  }
  for (double& value : x) value *= config_.embedding_factor;
  for (size_t l = 0; l < weights_.layers.size(); ++l) Layer(config_, l, weights_.layers[l], &x);
  Vector hidden = RmsNorm(x, weights_.output_norm, config_.norm_epsilon);
  for (double& value : hidden) value /= config_.logit_divisor;
  return hidden;
}

std::vector<double> StraightLine::Head(const std::vector<double>& hidden) const {
  Vector logits = MatMul(weights_.output, hidden);
  for (double& logit : logits) logit = Capped(logit, config_.logit_cap);
  return logits;
}

Result<void> StraightLine::Forward(std::span<const int32_t> ids, int64_t first_position,
                                   const OnPosition& on_position) const {
  HW_TRY(const Vector hidden, HiddenStates(ids));
  const auto num_tokens = static_cast<int64_t>(ids.size());
  for (int64_t begin = first_position; begin < num_tokens; begin += kHeadTokens) {
    const int64_t end = std::min(begin + kHeadTokens, num_tokens);
    const Vector some(hidden.begin() + begin * config_.dim, hidden.begin() + end * config_.dim);
    const Vector logits = Head(some);
    for (int64_t t = begin; t < end; ++t) {
      on_position(t, std::span(logits).subspan(Index((t - begin) * config_.vocab_size),
                                               Index(config_.vocab_size)));
    }
  }
  return {};
}

}  // namespace headway::straightline
