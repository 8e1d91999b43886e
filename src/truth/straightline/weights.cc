#include "truth/straightline/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "tensor/codec.h"

namespace headway::straightline {
namespace {

Result<ConstTensorView> Find(const gguf::GgufFile& file, const std::string& name, Shape expected) {
  HW_TRY(ConstTensorView view, file.GetTensor(name));
  if (!(view.shape == expected) || !IsWeightType(view.type)) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("straightline: {}: tensor '{}': expected weights of shape {}, found {} {}",
                    file.Path(), name, ToString(expected), Traits(view.type).name,
                    ToString(view.shape)));
  }
  return view;
}

Result<Matrix> FindMatrix(const gguf::GgufFile& file, const std::string& name, int64_t rows,
                          int64_t columns) {
  HW_TRY(const ConstTensorView view, Find(file, name, Shape{rows, columns}));
  return Matrix{.view = view, .first_row = 0, .num_rows = rows};
}

Result<Vector> ReadVector(const gguf::GgufFile& file, const std::string& name, int64_t n) {
  HW_TRY(const ConstTensorView view, Find(file, name, Shape{n}));
  Vector values(static_cast<size_t>(n));
  Matrix{.view = view, .first_row = 0, .num_rows = 1}.ReadRow(0, values.data());
  return values;
}

// Phi-3 stores q, k, v as one matrix in this order, and gate above up.
Result<void> FindFused(const gguf::GgufFile& file, const Config& c, const std::string& block,
                       LayerWeights* w) {
  const int64_t q_rows = c.num_heads * c.head_dim;
  const int64_t kv_rows = c.num_kv_heads * c.head_dim;
  HW_TRY(const Matrix qkv,
         FindMatrix(file, block + "attn_qkv.weight", q_rows + 2 * kv_rows, c.dim));
  w->wq = qkv.Rows(0, q_rows);
  w->wk = qkv.Rows(q_rows, kv_rows);
  w->wv = qkv.Rows(q_rows + kv_rows, kv_rows);
  HW_TRY(const Matrix gate_up, FindMatrix(file, block + "ffn_up.weight", 2 * c.hidden_dim, c.dim));
  w->gate = gate_up.Rows(0, c.hidden_dim);
  w->up = gate_up.Rows(c.hidden_dim, c.hidden_dim);
  return {};
}

Result<void> FindSeparate(const gguf::GgufFile& file, const Config& c, const std::string& block,
                          LayerWeights* w) {
  const int64_t kv_rows = c.num_kv_heads * c.head_dim;
  HW_TRY(w->wq, FindMatrix(file, block + "attn_q.weight", c.num_heads * c.head_dim, c.dim));
  HW_TRY(w->wk, FindMatrix(file, block + "attn_k.weight", kv_rows, c.dim));
  HW_TRY(w->wv, FindMatrix(file, block + "attn_v.weight", kv_rows, c.dim));
  HW_TRY(w->gate, FindMatrix(file, block + "ffn_gate.weight", c.hidden_dim, c.dim));
  HW_TRY(w->up, FindMatrix(file, block + "ffn_up.weight", c.hidden_dim, c.dim));
  return {};
}

// Those that the file has.
Result<void> FindBiases(const gguf::GgufFile& file, const Config& c, const std::string& block,
                        LayerWeights* w) {
  const auto find = [&](const char* name, int64_t n, Vector* bias) -> Result<void> {
    if (file.FindTensor(block + name) == nullptr) return {};
    HW_TRY(*bias, ReadVector(file, block + name, n));
    return {};
  };
  HW_TRY_VOID(find("attn_q.bias", c.num_heads * c.head_dim, &w->bq));
  HW_TRY_VOID(find("attn_k.bias", c.num_kv_heads * c.head_dim, &w->bk));
  HW_TRY_VOID(find("attn_v.bias", c.num_kv_heads * c.head_dim, &w->bv));
  HW_TRY_VOID(find("attn_output.bias", c.dim, &w->bo));
  HW_TRY_VOID(find("ffn_gate.bias", c.hidden_dim, &w->bgate));
  HW_TRY_VOID(
      find("ffn_up.bias", c.architecture == "phi3" ? 2 * c.hidden_dim : c.hidden_dim, &w->bup));
  HW_TRY_VOID(find("ffn_down.bias", c.dim, &w->bdown));
  Vector fused;
  HW_TRY_VOID(find("attn_qkv.bias", (c.num_heads + 2 * c.num_kv_heads) * c.head_dim, &fused));
  if (!fused.empty()) {
    const auto q_end = fused.begin() + c.num_heads * c.head_dim;
    const auto k_end = q_end + c.num_kv_heads * c.head_dim;
    w->bq = {fused.begin(), q_end};
    w->bk = {q_end, k_end};
    w->bv = {k_end, fused.end()};
  }
  if (c.architecture == "phi3" && !w->bup.empty()) {
    w->bgate = {w->bup.begin(), w->bup.begin() + c.hidden_dim};
    w->bup.erase(w->bup.begin(), w->bup.begin() + c.hidden_dim);
  }
  return {};
}

Result<LayerWeights> FindLayer(const gguf::GgufFile& file, const Config& c, int64_t layer) {
  const std::string block = fmt::format("blk.{}.", layer);
  LayerWeights w;
  const bool exaone = c.architecture == "exaone4";
  if (!exaone) {
    HW_TRY(w.attn_norm, ReadVector(file, block + "attn_norm.weight", c.dim));
    HW_TRY(w.ffn_norm, ReadVector(file, block + "ffn_norm.weight", c.dim));
  }
  if (c.architecture == "phi3") {
    HW_TRY_VOID(FindFused(file, c, block, &w));
  } else {
    HW_TRY_VOID(FindSeparate(file, c, block, &w));
  }
  HW_TRY_VOID(FindBiases(file, c, block, &w));
  if (c.architecture == "gemma2" || c.architecture == "gemma3" || exaone) {
    HW_TRY(w.attn_post_norm, ReadVector(file, block + "post_attention_norm.weight", c.dim));
    HW_TRY(w.ffn_post_norm, ReadVector(file, block + "post_ffw_norm.weight", c.dim));
  }
  if (c.architecture == "qwen3" || c.architecture == "gemma3" || exaone) {
    HW_TRY(w.q_norm, ReadVector(file, block + "attn_q_norm.weight", c.head_dim));
    HW_TRY(w.k_norm, ReadVector(file, block + "attn_k_norm.weight", c.head_dim));
  }
  HW_TRY(w.wo, FindMatrix(file, block + "attn_output.weight", c.dim, c.num_heads * c.head_dim));
  HW_TRY(w.down, FindMatrix(file, block + "ffn_down.weight", c.dim, c.hidden_dim));
  return w;
}

}  // namespace

void Matrix::ReadRow(int64_t r, double* row) const {
  std::vector<float> values(static_cast<size_t>(Columns()));
  DequantiseRow(view.type, view.Row(first_row + r), Columns(), values.data());
  std::copy(values.begin(), values.end(), row);
}

Result<Weights> FindWeights(const gguf::GgufFile& file, const Config& config) {
  Weights weights;
  HW_TRY(weights.embedding, FindMatrix(file, "token_embd.weight", config.vocab_size, config.dim));
  for (int64_t l = 0; l < config.num_layers; ++l) {
    HW_TRY(LayerWeights layer, FindLayer(file, config, l));
    weights.layers.push_back(std::move(layer));
  }
  HW_TRY(weights.output_norm, ReadVector(file, "output_norm.weight", config.dim));
  weights.output = weights.embedding;
  if (file.FindTensor("output.weight") != nullptr) {
    HW_TRY(weights.output, FindMatrix(file, "output.weight", config.vocab_size, config.dim));
  }
  return weights;
}

Vector MatMul(const Matrix& w, const Vector& x) {
  // Four tokens at a time: a sum waits 4 cycles for its last addition, four sums fill the gap. Each
  // token's own sum stays in channel order.
  constexpr size_t kTokens = 4;
  const auto columns = static_cast<size_t>(w.Columns());
  const auto rows = static_cast<size_t>(w.num_rows);
  const size_t num_tokens = x.size() / columns;
  Vector y(num_tokens * rows);
  Vector row(columns);
  for (size_t r = 0; r < rows; ++r) {
    w.ReadRow(static_cast<int64_t>(r), row.data());
    for (size_t begin = 0; begin < num_tokens; begin += kTokens) {
      const size_t n = std::min(kTokens, num_tokens - begin);
      std::array<const double*, kTokens> token{};  // a missing token repeats the last one
      for (size_t i = 0; i < kTokens; ++i) token[i] = &x[(begin + std::min(i, n - 1)) * columns];
      std::array<double, kTokens> sum{};
      for (size_t c = 0; c < columns; ++c) {
        for (size_t i = 0; i < kTokens; ++i) sum[i] += row[c] * token[i][c];
      }
      for (size_t i = 0; i < n; ++i) y[(begin + i) * rows + r] = sum[i];
    }
  }
  return y;
}

}  // namespace headway::straightline
