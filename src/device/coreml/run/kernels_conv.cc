#include <algorithm>
#include <atomic>
#include <limits>

#include "device/coreml/ir/infer.h"
#include "device/coreml/run/kernel.h"

namespace headway::mil::kernels {
namespace {

// The rows of a weight that may be constant (kept or decoded on the fly) or computed.
class Weight {
 public:
  static Result<Weight> Of(const KernelContext& context) {
    Weight weight;
    const Binding& binding = context.op.Op().inputs.at("weight").front();
    if (!context.constants.IsConstant(binding)) return weight;
    HW_TRY(weight.rows_, context.constants.Rows(binding));
    return weight;
  }
  // `computed`: the tensor when the weight is not constant. `scratch`: columns floats.
  const float* Row(const Tensor* computed, int64_t row, int64_t columns, float* scratch) const {
    return rows_ != nullptr ? rows_->Row(row, scratch) : computed->floats.get() + row * columns;
  }

 private:
  std::shared_ptr<const WeightRows> rows_;
};

// out[o, p] = weight row o . column p of x + bias[o]; x: [columns, P] per group (pointwise) given
// as [P, columns]. Rows of the weight are read once for all P columns.
void RowsTimesColumns(const KernelArgs& args, const Weight& weight, int64_t rows, int64_t columns,
                      const std::vector<float>& x, int64_t num_columns, int64_t out_row_step,
                      int64_t out_column_step, float* out) {
  const Tensor* bias = args.in[2];
  args.Parallel(rows, columns * num_columns, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(columns));
    for (int64_t o = begin; o < end; ++o) {
      const float* row = weight.Row(args.in[1], o, columns, scratch.data());
      const float shift = bias == nullptr ? 0.0F : bias->floats.get()[o];
      for (int64_t p = 0; p < num_columns; ++p) {
        out[o * out_row_step + p * out_column_step] =
            Dot(row, x.data() + p * columns, columns) + shift;
      }
    }
  });
}

struct ConvShape {
  Dims x, weight, out;
  infer::Window window;
  int64_t groups = 1;
};

// True when every output position sees one input position: a matrix product over channels.
bool IsPointwise(const ConvShape& s) {
  const auto ones = [](const std::vector<int64_t>& v, int64_t value) {
    return std::all_of(v.begin(), v.end(), [&](int64_t e) { return e == value; });
  };
  return s.groups == 1 && ones(s.window.kernel, 1) && ones(s.window.stride, 1) &&
         ones(s.window.pad_before, 0) && ones(s.window.pad_after, 0);
}

// One output element, straight from the definition.
// out[n, o, p] = bias[o] + sum over c, k of weight[o, c, k] x[n, g c + c, p stride + k dilation -
// pad]
float ConvAt(const ConvShape& s, const float* x, const float* row, const Dims& position,
             int64_t channel0) {
  const size_t axes = s.window.kernel.size();
  int64_t taps = 1;
  for (const int64_t k : s.window.kernel) taps *= k;
  int64_t plane = 1;
  for (size_t i = 0; i < axes; ++i) plane *= s.x[i + 2];
  double total = 0;
  for (int64_t tap = 0; tap < taps; ++tap) {
    int64_t rest = tap;
    int64_t at = 0;
    int64_t stride = 1;
    bool inside = true;
    for (size_t i = axes; i-- > 0;) {
      const int64_t k = rest % s.window.kernel[i];
      rest /= s.window.kernel[i];
      const int64_t where =
          position[i] * s.window.stride[i] + k * s.window.dilation[i] - s.window.pad_before[i];
      inside = inside && where >= 0 && where < s.x[i + 2];
      at += where * stride;
      stride *= s.x[i + 2];
    }
    if (!inside) continue;
    for (int64_t c = 0; c < s.weight[1]; ++c) {
      total += static_cast<double>(row[c * taps + tap]) *
               static_cast<double>(x[(channel0 + c) * plane + at]);
    }
  }
  return static_cast<float>(total);
}

Dims PositionAt(int64_t index, const Dims& out) {
  Dims position(out.size() - 2);
  for (size_t i = position.size(); i-- > 0;) {
    position[i] = index % out[i + 2];
    index /= out[i + 2];
  }
  return position;
}

int64_t PlaneOf(const Dims& dims) {
  int64_t plane = 1;
  for (size_t i = 2; i < dims.size(); ++i) plane *= dims[i];
  return plane;
}

void Pointwise(const ConvShape& s, const Weight& weight, const KernelArgs& args, float* out) {
  const int64_t plane = PlaneOf(s.x);
  const int64_t channels = s.x[1];
  std::vector<float> columns(static_cast<size_t>(plane * channels));
  for (int64_t n = 0; n < s.x[0]; ++n) {
    const float* x = args.In(0).floats.get() + n * channels * plane;
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < plane; ++p)
        columns[static_cast<size_t>(p * channels + c)] = x[c * plane + p];
    }
    RowsTimesColumns(args, weight, s.weight[0], channels, columns, plane, plane, 1,
                     out + n * s.weight[0] * plane);
  }
}

void General(const ConvShape& s, const Weight& weight, const KernelArgs& args, float* out) {
  const int64_t in_plane = PlaneOf(s.x);
  const int64_t out_plane = PlaneOf(s.out);
  int64_t columns = s.weight[1];
  for (const int64_t k : s.window.kernel) columns *= k;
  const Tensor* bias = args.in[2];
  args.Parallel(s.weight[0], columns * out_plane * s.x[0], [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(columns));
    for (int64_t o = begin; o < end; ++o) {
      const float* row = weight.Row(args.in[1], o, columns, scratch.data());
      const int64_t channel0 = o / (s.weight[0] / s.groups) * s.weight[1];
      for (int64_t n = 0; n < s.x[0]; ++n) {
        const float* x = args.In(0).floats.get() + n * s.x[1] * in_plane;
        float* to = out + (n * s.weight[0] + o) * out_plane;
        for (int64_t p = 0; p < out_plane; ++p) {
          to[p] = ConvAt(s, x, row, PositionAt(p, s.out), channel0) +
                  (bias == nullptr ? 0.0F : bias->floats.get()[o]);
        }
      }
    }
  });
}

// Sums modulo 2^32, as int32 is.
Result<Kernel> IntegerLinear(const KernelContext& context) {
  HW_TRY(const Tensor weight, context.constants.Dense(context.op.Op().inputs.at("weight").front()));
  return Kernel([weight](const KernelArgs& args) {
    const auto rows = static_cast<size_t>(weight.type.dims[0]);
    const auto columns = static_cast<size_t>(weight.type.dims[1]);
    const std::span<const int32_t> x = args.In(0).Ints();
    const std::span<const int32_t> w = weight.Ints();
    const std::span<int32_t> out = args.NewInts(0);
    for (size_t i = 0; i < out.size(); ++i) {
      const size_t o = i % rows;
      uint32_t sum = args.in[2] == nullptr ? 0 : static_cast<uint32_t>(args.in[2]->Ints()[o]);
      for (size_t c = 0; c < columns; ++c) {
        sum += static_cast<uint32_t>(x[i / rows * columns + c]) *
               static_cast<uint32_t>(w[o * columns + c]);
      }
      out[i] = static_cast<int32_t>(sum);
    }
  });
}

}  // namespace

Result<Kernel> Conv(const KernelContext& context) {
  HW_TRY(const Weight weight, Weight::Of(context));
  ConvShape shape;
  shape.x = context.op.Tensor("x").dims;
  shape.weight = context.op.Tensor("weight").dims;
  shape.groups = context.op.IntOr("groups", 1);
  HW_TRY(shape.window,
         infer::ResolveWindow(context.op, Dims(shape.weight.begin() + 2, shape.weight.end()),
                              Dims(shape.x.begin() + 2, shape.x.end())));
  return Kernel([weight, shape](const KernelArgs& args) {
    ConvShape s = shape;
    s.out = args.out[0].type.dims;
    float* out = args.NewFloats(0).data();
    if (IsPointwise(s)) {
      Pointwise(s, weight, args, out);
    } else {
      General(s, weight, args, out);
    }
  });
}

Result<Kernel> Linear(const KernelContext& context) {
  HW_TRY(const Weight weight, Weight::Of(context));
  const Dims dims = context.op.Tensor("weight").dims;
  if (context.op.Tensor("x").dtype == DType::kI32) return IntegerLinear(context);
  return Kernel([weight, dims](const KernelArgs& args) {
    const Tensor& x = args.In(0);
    const std::vector<float> columns(x.Floats().begin(), x.Floats().end());
    const int64_t count = dims[1] == 0 ? 0 : x.Count() / dims[1];
    RowsTimesColumns(args, weight, dims[0], dims[1], columns, count, 1, dims[0],
                     args.NewFloats(0).data());
  });
}

Result<Kernel> MaxPool(const KernelContext& context) {
  ConvShape shape;
  shape.x = context.op.Tensor("x").dims;
  HW_TRY(shape.window,
         infer::ResolveWindow(context.op, context.op.Ints("kernel_sizes").value_or(Dims()),
                              Dims(shape.x.begin() + 2, shape.x.end())));
  return Kernel([shape](const KernelArgs& args) {
    const infer::Window& w = shape.window;
    const Dims& out_dims = args.out[0].type.dims;
    const int64_t in_plane = PlaneOf(shape.x);
    const int64_t out_plane = PlaneOf(out_dims);
    int64_t taps = 1;
    for (const int64_t k : w.kernel) taps *= k;
    const std::span<float> out = args.NewFloats(0);
    for (size_t i = 0; i < out.size(); ++i) {
      const auto index = static_cast<int64_t>(i);
      const Dims position = PositionAt(index % out_plane, out_dims);
      const float* x = args.In(0).floats.get() + index / out_plane * in_plane;
      float best = -std::numeric_limits<float>::infinity();
      for (int64_t tap = 0; tap < taps; ++tap) {
        int64_t rest = tap;
        int64_t at = 0;
        int64_t stride = 1;
        bool inside = true;
        for (size_t axis = w.kernel.size(); axis-- > 0;) {
          const int64_t where =
              position[axis] * w.stride[axis] + rest % w.kernel[axis] - w.pad_before[axis];
          rest /= w.kernel[axis];
          inside = inside && where >= 0 && where < shape.x[axis + 2];
          at += where * stride;
          stride *= shape.x[axis + 2];
        }
        if (inside) best = std::max(best, x[at]);
      }
      out[i] = best;
    }
  });
}

}  // namespace headway::mil::kernels
