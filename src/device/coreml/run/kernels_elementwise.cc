#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "device/coreml/run/kernel.h"

namespace headway::mil::kernels {
namespace {

// The iteration of a broadcast: outer index over all axes but the innermost run, in which each
// operand advances by 0 or 1. Adjacent axes that all operands walk alike are joined first.
struct BroadcastLoop {
  Dims outer;                               // extents
  std::vector<std::vector<int64_t>> steps;  // [operand][outer axis]
  int64_t inner = 1;
  std::vector<int64_t> inner_step;  // [operand], 0 or 1
};

BroadcastLoop PlanBroadcast(const Dims& out, std::span<const Dims* const> operands) {
  std::vector<std::vector<int64_t>> strides(operands.size(), std::vector<int64_t>(out.size(), 0));
  for (size_t k = 0; k < operands.size(); ++k) {
    const Dims& dims = *operands[k];
    const std::vector<int64_t> own = StridesOf(dims);
    const size_t shift = out.size() - dims.size();
    for (size_t i = 0; i < dims.size(); ++i) strides[k][i + shift] = dims[i] == 1 ? 0 : own[i];
  }
  BroadcastLoop loop;
  loop.inner_step.assign(operands.size(), 0);
  loop.steps.resize(operands.size());
  // The innermost run: axes (from the right) that every operand walks densely or not at all.
  size_t axis = out.size();
  while (axis > 0) {
    const size_t next = axis - 1;
    bool joins = true;
    for (size_t k = 0; joins && k < operands.size(); ++k) {
      const int64_t stride = strides[k][next];
      const bool first = loop.inner == 1;
      joins = out[next] == 1 || (first ? stride <= 1 : stride == loop.inner_step[k] * loop.inner);
    }
    if (!joins) break;
    for (size_t k = 0; k < operands.size(); ++k) {
      if (loop.inner == 1 && out[next] > 1) loop.inner_step[k] = strides[k][next];
    }
    loop.inner *= out[next];
    axis = next;
  }
  loop.outer.assign(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(axis));
  for (size_t k = 0; k < operands.size(); ++k) {
    loop.steps[k].assign(strides[k].begin(),
                         strides[k].begin() + static_cast<std::ptrdiff_t>(axis));
  }
  return loop;
}

// Calls row(out_offset, operand offsets) for every innermost run.
template <class Row>
void Iterate(const BroadcastLoop& loop, const Row& row) {
  int64_t rows = 1;
  for (const int64_t extent : loop.outer) rows *= extent;
  std::vector<int64_t> index(loop.outer.size(), 0);
  std::vector<int64_t> offsets(loop.steps.size(), 0);
  for (int64_t r = 0; r < rows; ++r) {
    row(r * loop.inner, offsets);
    for (size_t i = loop.outer.size(); i-- > 0;) {
      for (size_t k = 0; k < offsets.size(); ++k) offsets[k] += loop.steps[k][i];
      if (++index[i] < loop.outer[i]) break;
      for (size_t k = 0; k < offsets.size(); ++k) offsets[k] -= loop.steps[k][i] * loop.outer[i];
      index[i] = 0;
    }
  }
}

template <class In, class Out, class F>
void Row2(Out* out, const In* a, int64_t a_step, const In* b, int64_t b_step, int64_t n,
          const F& f) {
  if (a_step == 1 && b_step == 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b[i]);
  } else if (a_step == 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b[0]);
  } else if (b_step == 1) {
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[0], b[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[0], b[0]);
  }
}

template <class In, class Out, class F>
void BinaryLoop(const Tensor& x, const Tensor& y, const In* a, const In* b, const Dims& dims,
                Out* out, const F& f) {
  const Dims* const operands[] = {&x.type.dims, &y.type.dims};
  const BroadcastLoop loop = PlanBroadcast(dims, operands);
  Iterate(loop, [&](int64_t at, const std::vector<int64_t>& offsets) {
    Row2(out + at, a + offsets[0], loop.inner_step[0], b + offsets[1], loop.inner_step[1],
         loop.inner, f);
  });
}

// f on floats, g on integers; the result has x's type.
template <class F, class G>
Kernel Arithmetic(F f, G g) {
  return [f, g](const KernelArgs& args) {
    const Tensor& x = args.In(0);
    const Tensor& y = args.In(1);
    const Dims& dims = args.out[0].type.dims;
    if (x.IsFloat()) {
      BinaryLoop(x, y, x.floats.get(), y.floats.get(), dims, args.NewFloats(0).data(), f);
    } else {
      BinaryLoop(x, y, x.ints.get(), y.ints.get(), dims, args.NewInts(0).data(), g);
    }
  };
}

template <class F>
Kernel Comparison(F f) {
  return [f](const KernelArgs& args) {
    const Tensor& x = args.In(0);
    const Tensor& y = args.In(1);
    const Dims& dims = args.out[0].type.dims;
    int32_t* out = args.NewInts(0).data();
    const auto compare = [f](auto a, auto b) { return f(a, b) ? 1 : 0; };
    if (x.IsFloat()) {
      BinaryLoop(x, y, x.floats.get(), y.floats.get(), dims, out, compare);
    } else {
      BinaryLoop(x, y, x.ints.get(), y.ints.get(), dims, out, compare);
    }
  };
}

// Wrapping integer arithmetic; division by zero gives zero instead of a trap.
int32_t Wrap(int64_t value) { return static_cast<int32_t>(static_cast<uint32_t>(value)); }
int32_t FloorDiv(int32_t a, int32_t b) {
  if (b == 0) return 0;
  const int64_t quotient = int64_t{a} / b;
  return Wrap(int64_t{a} % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient);
}

struct BinaryRow {
  std::string_view op;
  Kernel (*make)();
};

// sub computes a - b also where NumPy would warn; pow with a negative base follows std::pow.
constexpr BinaryRow kBinaryRows[] = {
    {"add",
     [] {
       return Arithmetic([](float a, float b) { return a + b; },
                         [](int32_t a, int32_t b) { return Wrap(int64_t{a} + b); });
     }},
    {"sub",
     [] {
       return Arithmetic([](float a, float b) { return a - b; },
                         [](int32_t a, int32_t b) { return Wrap(int64_t{a} - b); });
     }},
    {"mul",
     [] {
       return Arithmetic([](float a, float b) { return a * b; },
                         [](int32_t a, int32_t b) { return Wrap(int64_t{a} * b); });
     }},
    {"real_div",
     [] {
       return Arithmetic([](float a, float b) { return a / b; },
                         [](int32_t a, int32_t b) { return b == 0 ? 0 : Wrap(int64_t{a} / b); });
     }},
    {"floor_div",
     [] { return Arithmetic([](float a, float b) { return std::floor(a / b); }, FloorDiv); }},
    {"mod",
     [] {
       return Arithmetic(
           [](float a, float b) { return a - b * std::floor(a / b); },
           [](int32_t a, int32_t b) { return b == 0 ? 0 : Wrap(a - int64_t{b} * FloorDiv(a, b)); });
     }},
    {"maximum",
     [] {
       return Arithmetic([](float a, float b) { return a > b ? a : b; },
                         [](int32_t a, int32_t b) { return std::max(a, b); });
     }},
    {"minimum",
     [] {
       return Arithmetic([](float a, float b) { return a < b ? a : b; },
                         [](int32_t a, int32_t b) { return std::min(a, b); });
     }},
    {"pow",
     [] {
       return Arithmetic([](float a, float b) { return b == 2.0F ? a * a : std::pow(a, b); },
                         [](int32_t a, int32_t b) {
                           const double p = std::pow(a, b);
                           return std::abs(p) < 0x1p31 ? static_cast<int32_t>(p) : 0;
                         });
     }},
    {"equal", [] { return Comparison([](auto a, auto b) { return a == b; }); }},
    {"not_equal", [] { return Comparison([](auto a, auto b) { return a != b; }); }},
    {"greater", [] { return Comparison([](auto a, auto b) { return a > b; }); }},
    {"greater_equal", [] { return Comparison([](auto a, auto b) { return a >= b; }); }},
    {"less", [] { return Comparison([](auto a, auto b) { return a < b; }); }},
    {"less_equal", [] { return Comparison([](auto a, auto b) { return a <= b; }); }},
    {"logical_and", [] { return Comparison([](auto a, auto b) { return a != 0 && b != 0; }); }},
    {"logical_or", [] { return Comparison([](auto a, auto b) { return a != 0 || b != 0; }); }},
    {"logical_xor", [] { return Comparison([](auto a, auto b) { return (a != 0) != (b != 0); }); }},
};

}  // namespace

Result<Kernel> Binary(const KernelContext& context) {
  for (const BinaryRow& row : kBinaryRows) {
    if (row.op == context.op.Op().type) return row.make();
  }
  return Fail(ErrorCode::kUnsupported, "no kernel");
}

Result<Kernel> Select(const KernelContext&) {
  return Kernel([](const KernelArgs& args) {
    const Tensor& cond = args.In(0);
    const Tensor& a = args.In(1);
    const Tensor& b = args.In(2);
    const Dims* const operands[] = {&cond.type.dims, &a.type.dims, &b.type.dims};
    const BroadcastLoop loop = PlanBroadcast(args.out[0].type.dims, operands);
    const auto fill = [&](auto* out, const auto* yes, const auto* no) {
      Iterate(loop, [&](int64_t at, const std::vector<int64_t>& offsets) {
        for (int64_t i = 0; i < loop.inner; ++i) {
          out[at + i] =
              cond.ints.get()[static_cast<size_t>(offsets[0] + i * loop.inner_step[0])] != 0
                  ? yes[offsets[1] + i * loop.inner_step[1]]
                  : no[offsets[2] + i * loop.inner_step[2]];
        }
      });
    };
    if (a.IsFloat()) {
      fill(args.NewFloats(0).data(), a.floats.get(), b.floats.get());
    } else {
      fill(args.NewInts(0).data(), a.ints.get(), b.ints.get());
    }
  });
}

}  // namespace headway::mil::kernels
