#pragma once

// The few op sequences that the shard builders share, as one call each; every call appends exactly
// the ops its comment names, because tests count them.

#include <string>

#include "device/coreml/ir/builder.h"

namespace headway::mil::ops {

using Builder = FunctionBuilder;

std::string Add(Builder* f, const std::string& name, const std::string& x, const Binding& y);
std::string Sub(Builder* f, const std::string& name, const Binding& x, const std::string& y);
std::string Mul(Builder* f, const std::string& name, const std::string& x, const Binding& y);
std::string Minimum(Builder* f, const std::string& name, const std::string& x, const Binding& y);
std::string Reshape(Builder* f, const std::string& name, const std::string& x, const Dims& shape);
std::string Squeeze(Builder* f, const std::string& name, const std::string& x, int64_t axis);
std::string ExpandDims(Builder* f, const std::string& name, const std::string& x, int64_t axis);
// slice_by_index of [begin, end) on one axis, all of the others.
std::string Slice(Builder* f, const std::string& name, const std::string& x, size_t axis,
                  int64_t begin, int64_t end);
// As Slice, and the axis is dropped: index `at`.
std::string SliceAt(Builder* f, const std::string& name, const std::string& x, size_t axis,
                    int64_t at);
std::string Concat(Builder* f, const std::string& name, const std::vector<std::string>& parts,
                   int64_t axis);
std::string MatMul(Builder* f, const std::string& name, const std::string& x, const std::string& y,
                   bool transpose_x, bool transpose_y);
std::string Softmax(Builder* f, const std::string& name, const std::string& x, int64_t axis);
std::string Silu(Builder* f, const std::string& name, const std::string& x);
std::string Tanh(Builder* f, const std::string& name, const std::string& x);
// By its tanh form.
std::string Gelu(Builder* f, const std::string& name, const std::string& x);
// reduce_max, reduce_mean or reduce_sum over one axis, kept.
std::string Reduce(Builder* f, std::string_view op, const std::string& name, const std::string& x,
                   int64_t axis);
std::string Clip(Builder* f, const std::string& name, const std::string& x, float low, float high);
// A 1x1 convolution; `bias` [N], empty: none.
std::string Project(Builder* f, const std::string& name, const std::string& x,
                    const std::string& weight, const std::string& bias = "");

// x / sqrt(mean(x^2) + epsilon) * gain over one axis, with x scaled by `prescale` first so that
// squares stay inside fp16. Seven ops: mul, pow, reduce_mean, add, rsqrt, mul, mul; one more, a mul
// of one number a token, when the result is scaled. gain: the axis, and 1 on all others.
struct RmsNormParams {
  float epsilon = 1e-5F;
  float prescale = 1.0F;     // of the model's x
  float input_scale = 1.0F;  // x is given as the model's times this
  float output_scale = 1.0F;
  int64_t axis = 1;
};
std::string RmsNorm(Builder* f, const std::string& name, const std::string& x,
                    const std::string& gain, const RmsNormParams& params);

}  // namespace headway::mil::ops
