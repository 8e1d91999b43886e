#include "device/coreml/shards/ops.h"

#include <algorithm>

#include "base/check.h"

namespace headway::mil::ops {
namespace {

Constant Ints(const std::vector<int64_t>& values) { return IntsConstant(values); }

Constant Bools(const std::vector<bool>& values) {
  const std::vector<double> numbers(values.begin(), values.end());
  return NumbersConstant(DType::kBool, {static_cast<int64_t>(numbers.size())}, numbers);
}

std::string SliceAxis(Builder* f, const std::string& name, const std::string& x, size_t axis,
                      int64_t begin, int64_t end, bool squeeze) {
  const Dims dims = f->TypeOf(x).dims;
  HW_CHECK(axis < dims.size(), "axis in range");
  std::vector<int64_t> first(dims.size(), 0);
  std::vector<int64_t> last(dims);
  std::vector<bool> to_end(dims.size(), false);
  std::vector<bool> dropped(dims.size(), false);
  first[axis] = begin;
  last[axis] = end;
  dropped[axis] = squeeze;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i == axis || dims[i] != kUnknownDim) continue;
    last[i] = 0;  // ignored: the mask says "to the end"
    to_end[i] = true;
  }
  Builder::Params params = {{"x", {x}}, {"begin", {Ints(first)}}, {"end", {Ints(last)}}};
  if (std::find(to_end.begin(), to_end.end(), true) != to_end.end())
    params.push_back({"end_mask", {Bools(to_end)}});
  if (squeeze) params.push_back({"squeeze_mask", {Bools(dropped)}});
  return f->Op("slice_by_index", name, std::move(params));
}

}  // namespace

std::string Add(Builder* f, const std::string& name, const std::string& x, const Binding& y) {
  return f->Op("add", name, {{"x", {x}}, {"y", {y}}});
}

std::string Sub(Builder* f, const std::string& name, const Binding& x, const std::string& y) {
  return f->Op("sub", name, {{"x", {x}}, {"y", {y}}});
}

std::string Mul(Builder* f, const std::string& name, const std::string& x, const Binding& y) {
  return f->Op("mul", name, {{"x", {x}}, {"y", {y}}});
}

std::string Minimum(Builder* f, const std::string& name, const std::string& x, const Binding& y) {
  return f->Op("minimum", name, {{"x", {x}}, {"y", {y}}});
}

std::string Reshape(Builder* f, const std::string& name, const std::string& x, const Dims& shape) {
  return f->Op("reshape", name, {{"x", {x}}, {"shape", {Ints(shape)}}});
}

std::string Squeeze(Builder* f, const std::string& name, const std::string& x, int64_t axis) {
  return f->Op("squeeze", name, {{"x", {x}}, {"axes", {Ints({axis})}}});
}

std::string ExpandDims(Builder* f, const std::string& name, const std::string& x, int64_t axis) {
  return f->Op("expand_dims", name, {{"x", {x}}, {"axes", {Ints({axis})}}});
}

std::string Slice(Builder* f, const std::string& name, const std::string& x, size_t axis,
                  int64_t begin, int64_t end) {
  return SliceAxis(f, name, x, axis, begin, end, false);
}

std::string SliceAt(Builder* f, const std::string& name, const std::string& x, size_t axis,
                    int64_t at) {
  return SliceAxis(f, name, x, axis, at, at + 1, true);
}

std::string Concat(Builder* f, const std::string& name, const std::vector<std::string>& parts,
                   int64_t axis) {
  return f->Op("concat", name,
               {{"values", Argument(parts.begin(), parts.end())},
                {"axis", {IntConstant(static_cast<int32_t>(axis))}},
                {"interleave", {BoolConstant(false)}}});
}

std::string MatMul(Builder* f, const std::string& name, const std::string& x, const std::string& y,
                   bool transpose_x, bool transpose_y) {
  return f->Op("matmul", name,
               {{"x", {x}},
                {"y", {y}},
                {"transpose_x", {BoolConstant(transpose_x)}},
                {"transpose_y", {BoolConstant(transpose_y)}}});
}

std::string Softmax(Builder* f, const std::string& name, const std::string& x, int64_t axis) {
  return f->Op("softmax", name, {{"x", {x}}, {"axis", {IntConstant(static_cast<int32_t>(axis))}}});
}

std::string Silu(Builder* f, const std::string& name, const std::string& x) {
  return f->Op("silu", name, {{"x", {x}}});
}

std::string Tanh(Builder* f, const std::string& name, const std::string& x) {
  return f->Op("tanh", name, {{"x", {x}}});
}

std::string Gelu(Builder* f, const std::string& name, const std::string& x) {
  return f->Op("gelu", name, {{"x", {x}}, {"mode", {StringConstant("TANH_APPROXIMATION")}}});
}

std::string Reduce(Builder* f, std::string_view op, const std::string& name, const std::string& x,
                   int64_t axis) {
  return f->Op(op, name,
               {{"x", {x}}, {"axes", {Ints({axis})}}, {"keep_dims", {BoolConstant(true)}}});
}

std::string Clip(Builder* f, const std::string& name, const std::string& x, float low, float high) {
  return f->Op("clip", name,
               {{"x", {x}}, {"alpha", {HalfConstant(low)}}, {"beta", {HalfConstant(high)}}});
}

std::string Project(Builder* f, const std::string& name, const std::string& x,
                    const std::string& weight, const std::string& bias) {
  Builder::Params params = {{"x", {x}}, {"weight", {weight}}};
  if (!bias.empty()) params.push_back({"bias", {bias}});
  params.insert(params.end(), {{"strides", {Ints({1, 1})}},
                               {"pad_type", {StringConstant("valid")}},
                               {"pad", {Ints({0, 0, 0, 0})}},
                               {"dilations", {Ints({1, 1})}},
                               {"groups", {IntConstant(1)}}});
  return f->Op("conv", name, std::move(params));
}

std::string RmsNorm(Builder* f, const std::string& name, const std::string& x,
                    const std::string& gain, const RmsNormParams& params) {
  // Scaling by c turns mean(x^2) + epsilon into c^2 times that. The epsilon of fp16 must not
  // vanish, or a hidden state of zeros gives 0 / 0: 2^-24 is the smallest value there is.
  const float epsilon = std::max(params.epsilon * params.prescale * params.prescale, 0x1p-24F);
  const float prescale = params.prescale / params.input_scale;
  const std::string scaled = Mul(f, name + "_scaled", x, HalfConstant(prescale));
  const std::string squared =
      f->Op("pow", name + "_squared", {{"x", {scaled}}, {"y", {HalfConstant(2.0F)}}});
  const std::string mean = Reduce(f, "reduce_mean", name + "_mean", squared, params.axis);
  const std::string shifted = Add(f, name + "_shifted", mean, HalfConstant(epsilon));
  std::string inverse =
      f->Op("rsqrt", name + "_rsqrt", {{"x", {shifted}}, {"epsilon", {HalfConstant(1e-12F)}}});
  if (params.output_scale != 1.0F)
    inverse = Mul(f, name + "_rescaled", inverse, HalfConstant(params.output_scale));
  const std::string normed = Mul(f, name + "_normed", scaled, inverse);
  return Mul(f, name, normed, gain);
}

}  // namespace headway::mil::ops
