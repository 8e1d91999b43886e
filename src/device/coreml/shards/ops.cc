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
                    const std::string& weight) {
  return f->Op("conv", name,
               {{"x", {x}},
                {"weight", {weight}},
                {"strides", {Ints({1, 1})}},
                {"pad_type", {StringConstant("valid")}},
                {"pad", {Ints({0, 0, 0, 0})}},
                {"dilations", {Ints({1, 1})}},
                {"groups", {IntConstant(1)}}});
}

std::string RmsNorm(Builder* f, const std::string& name, const std::string& x,
                    const std::string& gain, const RmsNormParams& params) {
  // Scaling by c turns mean(x^2) + epsilon into c^2 times that. The epsilon of fp16 must not
  // vanish, or a hidden state of zeros gives 0 / 0: 2^-24 is the smallest value there is.
  const float epsilon = std::max(params.epsilon * params.prescale * params.prescale, 0x1p-24F);
  const std::string scaled = Mul(f, name + "_scaled", x, HalfConstant(params.prescale));
  const std::string squared =
      f->Op("pow", name + "_squared", {{"x", {scaled}}, {"y", {HalfConstant(2.0F)}}});
  const std::string mean = Reduce(f, "reduce_mean", name + "_mean", squared, 1);
  const std::string shifted = Add(f, name + "_shifted", mean, HalfConstant(epsilon));
  const std::string inverse =
      f->Op("rsqrt", name + "_rsqrt", {{"x", {shifted}}, {"epsilon", {HalfConstant(1e-12F)}}});
  const std::string normed = Mul(f, name + "_normed", scaled, inverse);
  return Mul(f, name, normed, gain);
}

}  // namespace headway::mil::ops
