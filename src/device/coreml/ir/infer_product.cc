#include <fmt/format.h>

#include <algorithm>

#include "device/coreml/ir/infer.h"

namespace headway::mil::infer {
namespace {

Result<std::vector<int64_t>> Extents(const OpView& op, std::string_view param, size_t count,
                                     int64_t minimum, int64_t fallback) {
  const auto values = op.Ints(param);
  if (!values) return std::vector<int64_t>(count, fallback);
  if (values->size() != count ||
      std::any_of(values->begin(), values->end(), [&](int64_t v) { return v < minimum; })) {
    return Invalid(
        fmt::format("parameter '{}': expected {} entries of at least {}", param, count, minimum));
  }
  return *values;
}

// Extent of one axis after a window slides over it; 0 or less when the window does not fit.
int64_t Slid(int64_t extent, const Window& window, size_t i) {
  if (extent == kUnknownDim) return kUnknownDim;
  const int64_t reach = (window.kernel[i] - 1) * window.dilation[i] + 1;
  const int64_t room = extent + window.pad_before[i] + window.pad_after[i] - reach;
  if (room < 0) return 0;
  const int64_t whole = room / window.stride[i] + 1;
  const bool one_more = window.ceil && room % window.stride[i] != 0 &&
                        whole * window.stride[i] < extent + window.pad_before[i];
  return one_more ? whole + 1 : whole;
}

Result<Dims> SlideAll(const Dims& x, Dims result, const Window& window) {
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    const int64_t extent = Slid(x[i + 2], window, i);
    if (extent == 0) {
      return Invalid(fmt::format("expected a window that fits into x {}, found kernel {}",
                                 ToString(x), ToString(window.kernel)));
    }
    result.push_back(extent);
  }
  return result;
}

}  // namespace

Result<Window> ResolveWindow(const OpView& op, const Dims& kernel, const Dims& x_spatial) {
  const size_t count = kernel.size();
  Window window;
  constexpr int64_t kMaxKernel = int64_t{1} << 20;  // times a 32-bit dilation this cannot overflow
  if (std::any_of(kernel.begin(), kernel.end(),
                  [](int64_t k) { return k < 1 || k > kMaxKernel; })) {
    return Invalid(
        fmt::format("expected kernel extents in [1, {}], found {}", kMaxKernel, ToString(kernel)));
  }
  window.kernel = kernel;
  HW_TRY(window.stride, Extents(op, "strides", count, 1, 1));
  HW_TRY(window.dilation, Extents(op, "dilations", count, 1, 1));
  window.pad_before.assign(count, 0);
  window.pad_after.assign(count, 0);
  const std::string_view type = op.StringOr("pad_type", "valid");
  if (type == "custom") {
    HW_TRY(const auto pad, Extents(op, "pad", 2 * count, 0, 0));
    for (size_t i = 0; i < count; ++i) {
      window.pad_before[i] = pad[2 * i];
      window.pad_after[i] = pad[2 * i + 1];
    }
  } else if (type == "same" || type == "same_lower") {
    for (size_t i = 0; i < count; ++i) {
      if (x_spatial[i] == kUnknownDim) continue;
      const int64_t stride = window.stride[i];
      const int64_t steps = (x_spatial[i] + stride - 1) / stride;
      const int64_t reach = (kernel[i] - 1) * window.dilation[i] + 1;
      const int64_t total = std::max<int64_t>((steps - 1) * stride + reach - x_spatial[i], 0);
      window.pad_before[i] = type == "same" ? total / 2 : total - total / 2;
      window.pad_after[i] = total - window.pad_before[i];
    }
  } else if (type != "valid") {
    return Invalid(
        fmt::format("expected pad_type valid, same, same_lower or custom, found '{}'", type));
  }
  return window;
}

Types Conv(const OpView& op) {
  const TensorType x = op.Tensor("x");
  const TensorType weight = op.Tensor("weight");
  if (x.dims.size() < 3 || x.dims.size() > 5 || weight.dims.size() != x.dims.size()) {
    return Invalid(
        fmt::format("expected x [n, Cin, 1 to 3 axes] and weight [Cout, Cin / groups, same axes], "
                    "found {} and {}",
                    ToString(x.dims), ToString(weight.dims)));
  }
  if (weight.dtype != x.dtype) {
    return Invalid(fmt::format("expected weight of x's element type {}, found {}", NameOf(x.dtype),
                               NameOf(weight.dtype)));
  }
  const int64_t groups = op.IntOr("groups", 1);
  if (groups < 1 || !IsFullyKnown(weight.dims) || weight.dims[0] % groups != 0 ||
      weight.dims[1] > (int64_t{1} << 31) || groups > (int64_t{1} << 30) ||
      !Compatible(Dims{x.dims[1]}, Dims{weight.dims[1] * groups})) {
    return Invalid(fmt::format(
        "expected weight [Cout, Cin / groups, ...] with Cin of x {} and groups {}, found {}",
        ToString(x.dims), groups, ToString(weight.dims)));
  }
  if (const auto bias = op.TypeOf("bias")) {
    if (!Compatible(bias->tensor.dims, {weight.dims[0]})) {
      return Invalid(
          fmt::format("expected bias [{}], found {}", weight.dims[0], ToString(bias->tensor.dims)));
    }
  }
  HW_TRY(const Window window, ResolveWindow(op, Dims(weight.dims.begin() + 2, weight.dims.end()),
                                            Dims(x.dims.begin() + 2, x.dims.end())));
  HW_TRY(Dims dims, SlideAll(x.dims, {x.dims[0], weight.dims[0]}, window));
  return One(x.dtype, std::move(dims));
}

Types Linear(const OpView& op) {
  const TensorType x = op.Tensor("x");
  const TensorType weight = op.Tensor("weight");
  if (x.dims.empty() || weight.dims.size() != 2 || !Compatible({x.dims.back()}, {weight.dims[1]}) ||
      weight.dtype != x.dtype) {
    return Invalid("expected x [..., in] and weight [out, in] of one element type, found " +
                   ToString(Type{x, false}) + " and " + ToString(Type{weight, false}));
  }
  if (const auto bias = op.TypeOf("bias");
      bias && (!Compatible(bias->tensor.dims, {weight.dims[0]}) || bias->tensor.dtype != x.dtype)) {
    return Invalid(fmt::format("expected bias [{}] of x's element type, found {}", weight.dims[0],
                               ToString(*bias)));
  }
  Dims dims = x.dims;
  dims.back() = weight.dims[0];
  return One(x.dtype, std::move(dims));
}

Types MatMul(const OpView& op) {
  const TensorType x = op.Tensor("x");
  const TensorType y = op.Tensor("y");
  if (x.dims.size() < 2 || y.dims.size() < 2 || x.dtype != y.dtype) {
    return Invalid("expected x and y of rank >= 2 and one element type, found " +
                   ToString(Type{x, false}) + " and " + ToString(Type{y, false}));
  }
  const auto inner = [](const Dims& dims, bool transposed) {
    const size_t last = dims.size() - 1;
    return transposed ? std::pair(dims[last], dims[last - 1])
                      : std::pair(dims[last - 1], dims[last]);
  };
  const auto [m, kx] = inner(x.dims, op.BoolOr("transpose_x", false));
  const auto [ky, n] = inner(y.dims, op.BoolOr("transpose_y", false));
  if (!Compatible({kx}, {ky})) {
    return Invalid(fmt::format("expected one contracted extent, found {} in x {} and {} in y {}",
                               kx, ToString(x.dims), ky, ToString(y.dims)));
  }
  HW_TRY(Dims dims,
         Broadcast(Dims(x.dims.begin(), x.dims.end() - 2), Dims(y.dims.begin(), y.dims.end() - 2)));
  dims.push_back(m);
  dims.push_back(n);
  return One(x.dtype, std::move(dims));
}

Types MaxPool(const OpView& op) {
  const TensorType x = op.Tensor("x");
  const auto kernel = op.Ints("kernel_sizes");
  if (!kernel || x.dims.size() != kernel->size() + 2 ||
      std::any_of(kernel->begin(), kernel->end(), [](int64_t k) { return k < 1; })) {
    return Invalid(
        "expected x [n, C, axes] and kernel_sizes of at least 1 with one entry per axis");
  }
  HW_TRY(Window window, ResolveWindow(op, *kernel, Dims(x.dims.begin() + 2, x.dims.end())));
  window.ceil = op.BoolOr("ceil_mode", false);
  if (window.ceil && (op.StringOr("pad_type", "valid").rfind("same", 0) == 0 ||
                      window.pad_before != window.pad_after))
    return Invalid("expected ceil_mode with padding that is valid, or custom and symmetric");
  HW_TRY(Dims dims, SlideAll(x.dims, {x.dims[0], x.dims[1]}, window));
  return One(x.dtype, std::move(dims));
}

Types LayerNorm(const OpView& op) {
  const TensorType x = op.Tensor("x");
  Dims normed;
  if (const auto axes = op.Ints("axes")) {
    for (const int64_t axis : *axes) {
      HW_TRY(const size_t index, ResolveAxis(axis, x.dims.size()));
      normed.push_back(x.dims[index]);
    }
  } else {
    normed = x.dims;
  }
  for (const std::string_view param : {"gamma", "beta"}) {
    if (const auto type = op.TypeOf(param); type && !Compatible(type->tensor.dims, normed)) {
      return Invalid(fmt::format("parameter '{}': expected shape {}, found {}", param,
                                 ToString(normed), ToString(type->tensor.dims)));
    }
  }
  return One(x.dtype, x.dims);
}

Types Attention(const OpView& op) {
  const TensorType q = op.Tensor("query");
  const TensorType k = op.Tensor("key");
  const TensorType v = op.Tensor("value");
  const size_t rank = q.dims.size();
  const auto batch = [](const Dims& dims) { return Dims(dims.begin(), dims.end() - 2); };
  if (rank < 3 || k.dims.size() != rank || v.dims.size() != rank ||
      !Compatible(batch(q.dims), batch(k.dims)) || !Compatible(batch(q.dims), batch(v.dims)) ||
      !Compatible({q.dims[rank - 1]}, {k.dims[rank - 1]}) ||
      !Compatible({k.dims[rank - 2]}, {v.dims[rank - 2]}) || k.dtype != q.dtype ||
      v.dtype != q.dtype) {
    return Invalid(fmt::format(
        "expected query [B*, L, E], key [B*, S, E], value [B*, S, EV], found {}, {}, {}",
        ToString(q.dims), ToString(k.dims), ToString(v.dims)));
  }
  if (const auto mask = op.TypeOf("attn_mask")) {
    Dims scores = q.dims;
    scores[rank - 1] = k.dims[rank - 2];
    HW_TRY(const Dims joined, Broadcast(mask->tensor.dims, scores));
    if (!Compatible(joined, scores))
      return Invalid("expected attn_mask that broadcasts to [B*, L, S]");
  }
  Dims dims = q.dims;
  dims[rank - 1] = v.dims[rank - 1];
  return One(q.dtype, std::move(dims));
}

}  // namespace headway::mil::infer
