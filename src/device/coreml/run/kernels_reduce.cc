#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "device/coreml/run/kernel.h"

namespace headway::mil::kernels {
namespace {

// Accumulates in double: sums of fp16 values come out as exact as fp32 can hold them, whatever the
// order.
struct Accumulator {
  double start;
  double (*step)(double total, double value);
  double (*finish)(double total, double count);
};

double Keep(double total, double /*count*/) { return total; }

struct ReduceRow {
  std::string_view op;
  Accumulator accumulator;
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr ReduceRow kReduceRows[] = {
    {"reduce_sum", {0, [](double t, double v) { return t + v; }, Keep}},
    {"reduce_mean",
     {0, [](double t, double v) { return t + v; }, [](double t, double n) { return t / n; }}},
    {"reduce_max", {-kInfinity, [](double t, double v) { return v > t ? v : t; }, Keep}},
    {"reduce_min", {kInfinity, [](double t, double v) { return v < t ? v : t; }, Keep}},
    {"reduce_prod", {1, [](double t, double v) { return t * v; }, Keep}},
    {"reduce_sum_square", {0, [](double t, double v) { return t + v * v; }, Keep}},
    {"reduce_l2_norm",
     {0, [](double t, double v) { return t + v * v; },
      [](double t, double) { return std::sqrt(t); }}},
};

// The elements of x that fall into each element of the result: `kept` offsets times `reduced`
// offsets.
struct ReducePlan {
  std::vector<int64_t> kept;
  std::vector<int64_t> reduced;
};

std::vector<int64_t> Offsets(const Dims& dims, const std::vector<bool>& use) {
  std::vector<int64_t> offsets = {0};
  const std::vector<int64_t> strides = StridesOf(dims);
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (!use[axis]) continue;
    std::vector<int64_t> next;
    next.reserve(offsets.size() * static_cast<size_t>(dims[axis]));
    for (const int64_t base : offsets) {
      for (int64_t i = 0; i < dims[axis]; ++i) next.push_back(base + i * strides[axis]);
    }
    offsets = std::move(next);
  }
  return offsets;
}

ReducePlan PlanReduce(const Dims& dims, std::vector<bool> reduced) {
  ReducePlan plan;
  plan.reduced = Offsets(dims, reduced);
  reduced.flip();
  plan.kept = Offsets(dims, reduced);
  return plan;
}

double LogSumExp(const ReducePlan& plan, const float* x) {
  double largest = -kInfinity;
  for (const int64_t offset : plan.reduced)
    largest = std::max(largest, static_cast<double>(x[offset]));
  double total = 0;
  for (const int64_t offset : plan.reduced)
    total += std::exp(static_cast<double>(x[offset]) - largest);
  return largest + std::log(total);
}

template <class T>
void ReduceInto(const ReducePlan& plan, const Accumulator& accumulator, const T* x,
                std::span<T> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    double total = accumulator.start;
    const T* base = x + plan.kept[i];
    for (const int64_t offset : plan.reduced)
      total = accumulator.step(total, static_cast<double>(base[offset]));
    out[i] = static_cast<T>(accumulator.finish(total, static_cast<double>(plan.reduced.size())));
  }
}

// Positions along one axis ordered by value: descending, or ascending; equal values by position, as
// NumPy's stable sort. Apple leaves the order of ties open.
void Order(const float* x, int64_t count, int64_t stride, bool ascending,
           std::vector<int32_t>* order) {
  order->resize(static_cast<size_t>(count));
  std::iota(order->begin(), order->end(), 0);
  std::stable_sort(order->begin(), order->end(), [&](int32_t a, int32_t b) {
    const float va = x[a * stride];
    const float vb = x[b * stride];
    return ascending ? va < vb : va > vb;
  });
}

std::vector<float> AsFloats(const Tensor& x) {
  if (x.IsFloat()) return {x.Floats().begin(), x.Floats().end()};
  return {x.Ints().begin(), x.Ints().end()};
}

// Extents around one axis.
struct AxisView {
  int64_t before = 1, length = 1, after = 1;
};
AxisView ViewAxis(const Dims& dims, size_t axis) {
  AxisView view;
  for (size_t i = 0; i < dims.size(); ++i)
    (i < axis ? view.before : i == axis ? view.length : view.after) *= dims[i];
  return view;
}

size_t AxisOf(const KernelContext& context, int64_t fallback) {
  const size_t rank = context.op.Tensor("x").dims.size();
  return ResolveAxis(context.op.IntOr("axis", fallback), rank).value_or(0);
}

}  // namespace

Result<Kernel> Reduce(const KernelContext& context) {
  const TensorType x = context.op.Tensor("x");
  std::vector<bool> reduced(x.dims.size(), !context.op.Has("axes"));
  for (const int64_t axis : context.op.Ints("axes").value_or(std::vector<int64_t>())) {
    HW_TRY(const size_t index, ResolveAxis(axis, x.dims.size()));
    reduced[index] = true;
  }
  ReducePlan plan = PlanReduce(x.dims, reduced);
  const std::string& type = context.op.Op().type;
  if (type == "reduce_log_sum_exp") {
    return Kernel([plan = std::move(plan)](const KernelArgs& args) {
      const std::span<float> out = args.NewFloats(0);
      for (size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<float>(LogSumExp(plan, args.In(0).floats.get() + plan.kept[i]));
      }
    });
  }
  for (const ReduceRow& row : kReduceRows) {
    if (row.op != type) continue;
    return Kernel([plan = std::move(plan), accumulator = row.accumulator](const KernelArgs& args) {
      if (args.In(0).IsFloat()) {
        ReduceInto<float>(plan, accumulator, args.In(0).floats.get(), args.NewFloats(0));
      } else {
        ReduceInto<int32_t>(plan, accumulator, args.In(0).ints.get(), args.NewInts(0));
      }
    });
  }
  return Fail(ErrorCode::kUnsupported, "no kernel");
}

Result<Kernel> ReduceArg(const KernelContext& context) {
  const size_t axis = AxisOf(context, -1);
  const bool largest = context.op.Op().type == "reduce_argmax";
  return Kernel([axis, largest](const KernelArgs& args) {
    const std::vector<float> x = AsFloats(args.In(0));
    const AxisView view = ViewAxis(args.In(0).type.dims, axis);
    const std::span<int32_t> out = args.NewInts(0);
    for (int64_t b = 0; b < view.before; ++b) {
      for (int64_t a = 0; a < view.after; ++a) {
        const float* lane = x.data() + b * view.length * view.after + a;
        int32_t best = 0;
        for (int64_t i = 1; i < view.length; ++i) {
          const float value = lane[i * view.after];
          const float held = lane[best * view.after];
          if (largest ? value > held : value < held) best = static_cast<int32_t>(i);
        }
        out[static_cast<size_t>(b * view.after + a)] = best;
      }
    }
  });
}

Result<Kernel> TopK(const KernelContext& context) {
  const bool sort_only = context.op.Op().type == "argsort";
  const size_t axis = AxisOf(context, -1);
  const int64_t k = sort_only ? -1 : context.op.IntOr("k", 1);
  const bool ascending = context.op.BoolOr("ascending", false);
  return Kernel([axis, k, ascending, sort_only](const KernelArgs& args) {
    const Tensor& in = args.In(0);
    const std::vector<float> x = AsFloats(in);
    const AxisView view = ViewAxis(in.type.dims, axis);
    const int64_t take = sort_only ? view.length : k;
    std::vector<int32_t> order;
    std::span<float> floats;
    std::span<int32_t> ints;
    std::span<int32_t> indices;
    if (!sort_only && in.IsFloat()) floats = args.NewFloats(0);
    if (!sort_only && !in.IsFloat()) ints = args.NewInts(0);
    if (sort_only || args.out.size() > 1) indices = args.NewInts(sort_only ? 0 : 1);
    for (int64_t b = 0; b < view.before; ++b) {
      for (int64_t a = 0; a < view.after; ++a) {
        const int64_t base = b * view.length * view.after + a;
        Order(x.data() + base, view.length, view.after, ascending, &order);
        for (int64_t i = 0; i < take; ++i) {
          const auto to = static_cast<size_t>((b * take + i) * view.after + a);
          const int32_t from = order[static_cast<size_t>(i)];
          const auto source = static_cast<size_t>(base + from * view.after);
          if (!floats.empty()) floats[to] = in.floats.get()[source];
          if (!ints.empty()) ints[to] = in.ints.get()[source];
          if (!indices.empty()) indices[to] = from;
        }
      }
    }
  });
}

Result<Kernel> Softmax(const KernelContext& context) {
  const size_t axis = AxisOf(context, -1);
  return Kernel([axis](const KernelArgs& args) {
    const AxisView view = ViewAxis(args.In(0).type.dims, axis);
    const std::span<float> out = args.NewFloats(0);
    for (int64_t lane = 0; lane < view.before * view.after; ++lane) {
      const int64_t base = lane / view.after * view.length * view.after + lane % view.after;
      const float* x = args.In(0).floats.get() + base;
      float* y = out.data() + base;
      float largest = -std::numeric_limits<float>::infinity();
      for (int64_t i = 0; i < view.length; ++i) largest = std::max(largest, x[i * view.after]);
      double total = 0;
      for (int64_t i = 0; i < view.length; ++i) {
        const float shifted = x[i * view.after] - largest;
        // Masked keys (-4e4) are below e^-104, the smallest binary32: no need to compute them.
        const float e = shifted < -104.0F ? 0.0F : std::exp(shifted);
        y[i * view.after] = e;
        total += static_cast<double>(e);
      }
      const auto scale = static_cast<float>(1.0 / total);
      for (int64_t i = 0; i < view.length; ++i) y[i * view.after] *= scale;
    }
  });
}

Result<Kernel> LayerNorm(const KernelContext& context) {
  const TensorType x = context.op.Tensor("x");
  std::vector<bool> reduced(x.dims.size(), !context.op.Has("axes"));
  for (const int64_t axis : context.op.Ints("axes").value_or(std::vector<int64_t>())) {
    HW_TRY(const size_t index, ResolveAxis(axis, x.dims.size()));
    reduced[index] = true;
  }
  const double epsilon = context.op.NumberOr("epsilon", 1e-5);
  return Kernel([plan = PlanReduce(x.dims, reduced), epsilon](const KernelArgs& args) {
    const float* in = args.In(0).floats.get();
    const std::span<float> out = args.NewFloats(0);
    const auto n = static_cast<double>(plan.reduced.size());
    for (const int64_t base : plan.kept) {
      double sum = 0;
      double squares = 0;
      for (const int64_t offset : plan.reduced) sum += static_cast<double>(in[base + offset]);
      const double mean = sum / n;
      for (const int64_t offset : plan.reduced) {
        const double d = static_cast<double>(in[base + offset]) - mean;
        squares += d * d;
      }
      const double scale = 1.0 / std::sqrt(squares / n + epsilon);
      for (size_t i = 0; i < plan.reduced.size(); ++i) {
        const auto at = static_cast<size_t>(base + plan.reduced[i]);
        double value = (static_cast<double>(in[at]) - mean) * scale;
        if (args.in[1] != nullptr) value *= static_cast<double>(args.In(1).floats.get()[i]);
        if (args.in[2] != nullptr) value += static_cast<double>(args.In(2).floats.get()[i]);
        out[at] = static_cast<float>(value);
      }
    }
  });
}

}  // namespace headway::mil::kernels
