#include <algorithm>
#include <cmath>
#include <limits>

#include "device/coreml/run/kernel.h"

namespace headway::mil::kernels {
namespace {

// Strides of one operand's batch axes against those of the result; 0 where it is broadcast.
std::vector<int64_t> BatchStrides(const Dims& operand, const Dims& out, int64_t matrix) {
  const size_t count = out.size() - 2;
  std::vector<int64_t> strides(count, 0);
  int64_t stride = matrix;
  for (size_t i = 0; i + 2 < operand.size(); ++i) {
    const size_t from_right = operand.size() - 3 - i;
    const int64_t extent = operand[from_right];
    if (extent != 1) strides[count - 1 - i] = stride;
    stride *= extent;
  }
  return strides;
}

struct MatMulShape {
  int64_t m = 0, n = 0, k = 0;
  bool transpose_x = false, transpose_y = false;
};

// One product. x: [m, k] or, transposed, [k, m]; y: [k, n] or, transposed, [n, k]; out: [m, n].
// Rows of y are added in order of k in binary32, or dotted when y is transposed.
void Product(const MatMulShape& s, const float* x, const float* y, float* out,
             std::vector<float>* row) {
  row->resize(static_cast<size_t>(s.k));
  for (int64_t i = 0; i < s.m; ++i) {
    const float* left = x + i * s.k;
    if (s.transpose_x) {
      for (int64_t k = 0; k < s.k; ++k) (*row)[static_cast<size_t>(k)] = x[k * s.m + i];
      left = row->data();
    }
    float* to = out + i * s.n;
    if (s.transpose_y) {
      for (int64_t j = 0; j < s.n; ++j) to[j] = Dot(left, y + j * s.k, s.k);
      continue;
    }
    std::fill_n(to, s.n, 0.0F);
    for (int64_t k = 0; k < s.k; ++k) {
      const float factor = left[k];
      if (factor == 0.0F)
        continue;  // masked keys; an infinite y would make NaN here, which Apple's would too
      const float* right = y + k * s.n;
      for (int64_t j = 0; j < s.n; ++j) to[j] += factor * right[j];
    }
  }
}

}  // namespace

float Dot(const float* a, const float* b, int64_t count) {
  constexpr int64_t kLanes = 16;
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] += a[i + l] * b[i + l];
  }
  for (int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (int64_t l = 0; l < width; ++l) lanes[l] += lanes[l + width];
  }
  float total = lanes[0];
  for (; i < count; ++i) total += a[i] * b[i];
  return total;
}

Result<Kernel> MatMul(const KernelContext& context) {
  const bool transpose_x = context.op.BoolOr("transpose_x", false);
  const bool transpose_y = context.op.BoolOr("transpose_y", false);
  return Kernel([transpose_x, transpose_y](const KernelArgs& args) {
    // Integers are rare here and small: products in binary32 are exact up to 2^24.
    const auto as_float = [](const Tensor& t) {
      return t.IsFloat() ? std::vector<float>()
                         : std::vector<float>(t.Ints().begin(), t.Ints().end());
    };
    const Tensor& x = args.In(0);
    const Tensor& y = args.In(1);
    const std::vector<float> x_ints = as_float(x);
    const std::vector<float> y_ints = as_float(y);
    const Dims& dims = args.out[0].type.dims;
    MatMulShape shape{dims[dims.size() - 2], dims.back(), 0, transpose_x, transpose_y};
    shape.k = x.type.dims[x.type.dims.size() - (transpose_x ? 2 : 1)];
    const auto x_steps = BatchStrides(x.type.dims, dims, shape.m * shape.k);
    const auto y_steps = BatchStrides(y.type.dims, dims, shape.k * shape.n);
    std::vector<float> ints_out;
    float* out = nullptr;
    if (x.IsFloat()) {
      out = args.NewFloats(0).data();
    } else {
      ints_out.resize(static_cast<size_t>(args.out[0].Count()));
      out = ints_out.data();
    }
    const int64_t batches = shape.m * shape.n == 0 ? 0 : args.out[0].Count() / (shape.m * shape.n);
    args.Parallel(batches, shape.m * shape.n * shape.k, [&](int64_t begin, int64_t end) {
      std::vector<float> row;
      for (int64_t b = begin; b < end; ++b) {
        int64_t rest = b;
        int64_t x_at = 0;
        int64_t y_at = 0;
        for (size_t i = x_steps.size(); i-- > 0;) {
          x_at += rest % dims[i] * x_steps[i];
          y_at += rest % dims[i] * y_steps[i];
          rest /= dims[i];
        }
        Product(shape, (x.IsFloat() ? x.floats.get() : x_ints.data()) + x_at,
                (y.IsFloat() ? y.floats.get() : y_ints.data()) + y_at, out + b * shape.m * shape.n,
                &row);
      }
    });
    if (!x.IsFloat()) {
      std::transform(ints_out.begin(), ints_out.end(), args.NewInts(0).begin(),
                     [](float v) { return std::abs(v) < 0x1p31F ? static_cast<int32_t>(v) : 0; });
    }
  });
}

// softmax(query key^T / sqrt(E) + mask) value, scores and weights in binary32: one op, one rounding
// at its end.
Result<Kernel> Attention(const KernelContext&) {
  return Kernel([](const KernelArgs& args) {
    const Dims& q = args.In(0).type.dims;
    const Dims& k = args.In(1).type.dims;
    const size_t rank = q.size();
    const int64_t L = q[rank - 2];
    const int64_t E = q[rank - 1];
    const int64_t S = k[rank - 2];
    const int64_t Ev = args.In(2).type.dims[rank - 1];
    Dims scores = q;
    scores[rank - 1] = S;
    const std::span<float> out = args.NewFloats(0);
    const Tensor* mask = args.in[3];
    std::vector<int64_t> mask_steps;
    if (mask != nullptr) {
      const std::vector<int64_t> own = StridesOf(mask->type.dims);
      mask_steps.assign(rank, 0);
      const size_t shift = rank - own.size();
      for (size_t i = 0; i < own.size(); ++i)
        mask_steps[i + shift] = mask->type.dims[i] == 1 ? 0 : own[i];
    }
    std::vector<float> row(static_cast<size_t>(S));
    const float scale = 1.0F / std::sqrt(static_cast<float>(E));
    const int64_t rows = L * S * Ev * E == 0 ? 0 : args.In(0).Count() / E;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t batch = r / L;
      int64_t mask_at = 0;
      for (size_t i = rank - 1, rest = static_cast<size_t>(r); mask != nullptr && i-- > 0;) {
        mask_at += static_cast<int64_t>(rest % static_cast<size_t>(q[i])) * mask_steps[i];
        rest /= static_cast<size_t>(q[i]);
      }
      float largest = -std::numeric_limits<float>::infinity();
      for (int64_t s = 0; s < S; ++s) {
        float score =
            Dot(args.In(0).floats.get() + r * E, args.In(1).floats.get() + (batch * S + s) * E, E) *
            scale;
        if (mask != nullptr) {
          const int64_t at = mask_at + s * mask_steps[rank - 1];
          if (mask->IsFloat()) {
            score += mask->floats.get()[at];
          } else if (mask->ints.get()[at] == 0) {
            score = -std::numeric_limits<float>::infinity();
          }
        }
        row[static_cast<size_t>(s)] = score;
        largest = std::max(largest, score);
      }
      double total = 0;
      for (float& score : row) {
        score = std::exp(score - largest);
        total += static_cast<double>(score);
      }
      float* to = out.data() + r * Ev;
      std::fill_n(to, Ev, 0.0F);
      for (int64_t s = 0; s < S; ++s) {
        const auto weight =
            static_cast<float>(static_cast<double>(row[static_cast<size_t>(s)]) / total);
        const float* value = args.In(2).floats.get() + (batch * S + s) * Ev;
        for (int64_t e = 0; e < Ev; ++e) to[e] += weight * value[e];
      }
    }
  });
}

}  // namespace headway::mil::kernels
