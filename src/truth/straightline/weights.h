#pragma once

// The tensors of the straight-line model: views into the GGUF, widened row by row when they are
// multiplied, so that a model of any size runs in a little memory. Inside this folder only.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "tensor/tensor_view.h"
#include "truth/straightline/config.h"

namespace headway::straightline {

using Vector = std::vector<double>;

// Rows of a stored matrix, all of them or a part.
struct Matrix {
  ConstTensorView view;
  int64_t first_row = 0;
  int64_t num_rows = 0;

  int64_t Columns() const { return view.shape.Columns(); }
  // Rows [begin, begin + count) of this one.
  Matrix Rows(int64_t begin, int64_t count) const { return {view, first_row + begin, count}; }
  // row: [Columns()]
  void ReadRow(int64_t r, double* row) const;
};

struct LayerWeights {
  Vector attn_norm;   // [D], of what attention reads; empty in EXAONE 4
  Matrix wq;          // [H d, D]
  Matrix wk;          // [Hk d, D]
  Matrix wv;          // [Hk d, D]
  Matrix wo;          // [D, H d]
  Vector bq, bk, bv;  // added to the products; empty: none
  Vector bo, bgate, bup, bdown;
  Vector q_norm;          // [d], of each head of q; empty but for Qwen 3 and Gemma 3
  Vector k_norm;          // [d]
  Vector attn_post_norm;  // [D], of what attention adds; empty but for Gemma 3
  Vector ffn_norm;        // [D], of what the feed-forward reads; empty in EXAONE 4
  Vector ffn_post_norm;   // [D], of what the feed-forward adds
  Matrix gate;            // [F, D]
  Matrix up;              // [F, D]
  Matrix down;            // [D, F]
};

struct Weights {
  Matrix embedding;  // [V, D]
  std::vector<LayerWeights> layers;
  Vector output_norm;  // [D]
  Matrix output;       // [V, D]; the embedding when the file has no output.weight
};

// Errors: kNotFound (tensor), kInvalidInput (shape, type).
Result<Weights> FindWeights(const gguf::GgufFile& file, const Config& config);

// y[t, r] = sum over c of w[r, c] x[t, c].   x: [num_tokens, columns]   y: [num_tokens, rows]
Vector MatMul(const Matrix& w, const Vector& x);

}  // namespace headway::straightline
