#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "device/coreml/run/kernel.h"

namespace headway::mil::kernels {
namespace {

struct UnaryParams {
  float epsilon = 0.0F;
  float alpha = 0.0F;
  float beta = 0.0F;
};

using UnaryFunction = float (*)(float x, const UnaryParams& params);

float Sigmoid(float x) { return 1.0F / (1.0F + std::exp(-x)); }

// Half to even, as NumPy's round.
float RoundEven(float x) { return std::nearbyint(x); }

struct UnaryRow {
  std::string_view op;
  UnaryFunction f;
  double epsilon;  // the op's default
};

constexpr UnaryRow kUnaryRows[] = {
    // An fp16 epsilon of 1e-12 is 0, as on the device: 1 / sqrt(x + 0).
    {"rsqrt", [](float x, const UnaryParams& p) { return 1.0F / std::sqrt(x + p.epsilon); }, 1e-12},
    {"log", [](float x, const UnaryParams& p) { return std::log(x + p.epsilon); }, 1e-45},
    {"sqrt", [](float x, const UnaryParams&) { return std::sqrt(x); }, 0},
    {"exp", [](float x, const UnaryParams&) { return std::exp(x); }, 0},
    {"exp2", [](float x, const UnaryParams&) { return std::exp2(x); }, 0},
    {"tanh", [](float x, const UnaryParams&) { return std::tanh(x); }, 0},
    {"erf", [](float x, const UnaryParams&) { return std::erf(x); }, 0},
    {"floor", [](float x, const UnaryParams&) { return std::floor(x); }, 0},
    {"round", [](float x, const UnaryParams&) { return RoundEven(x); }, 0},
    {"sigmoid", [](float x, const UnaryParams&) { return Sigmoid(x); }, 0},
    {"silu", [](float x, const UnaryParams&) { return x * Sigmoid(x); }, 0},
    {"relu", [](float x, const UnaryParams&) { return x > 0.0F ? x : 0.0F; }, 0},
    {"abs", [](float x, const UnaryParams&) { return std::abs(x); }, 0},
    {"square", [](float x, const UnaryParams&) { return x * x; }, 0},
    {"sign",
     [](float x, const UnaryParams&) { return static_cast<float>((x > 0.0F) - (x < 0.0F)); }, 0},
    {"clip", [](float x, const UnaryParams& p) { return std::min(std::max(x, p.alpha), p.beta); },
     0},
    {"logical_not", [](float x, const UnaryParams&) { return x == 0.0F ? 1.0F : 0.0F; }, 0},
};

UnaryFunction Gelu(std::string_view mode) {
  if (mode == "TANH_APPROXIMATION") {
    return [](float x, const UnaryParams&) {
      return 0.5F * x * (1.0F + std::tanh(0.7978845608F * (x + 0.044715F * x * x * x)));
    };
  }
  if (mode == "SIGMOID_APPROXIMATION") {
    return [](float x, const UnaryParams&) { return x * Sigmoid(1.702F * x); };
  }
  return
      [](float x, const UnaryParams&) { return 0.5F * x * (1.0F + std::erf(x * 0.7071067812F)); };
}

int32_t ToInt(float value) {  // towards zero, saturating; NaN gives 0
  if (std::isnan(value)) return 0;
  if (value >= 0x1p31F) return std::numeric_limits<int32_t>::max();
  if (value <= -0x1p31F) return std::numeric_limits<int32_t>::min();
  return static_cast<int32_t>(value);
}

// The low bits of a value as the small integer type holds them.
int32_t Narrow(int32_t value, DType dtype) {
  switch (Traits(dtype).type_class) {
    case DTypeClass::kBool:
      return value != 0 ? 1 : 0;
    case DTypeClass::kSigned:
      if (dtype == DType::kI8) return static_cast<int8_t>(value);
      return dtype == DType::kI16 ? static_cast<int16_t>(value) : value;
    case DTypeClass::kUnsigned:
      if (dtype == DType::kU8) return static_cast<uint8_t>(value);
      return dtype == DType::kU16 ? static_cast<uint16_t>(value) : value;
    case DTypeClass::kString:
    case DTypeClass::kFloat:
      break;
  }
  return value;
}

}  // namespace

Result<Kernel> Unary(const KernelContext& context) {
  const std::string& type = context.op.Op().type;
  UnaryParams params;
  UnaryFunction f = nullptr;
  if (type == "gelu") f = Gelu(context.op.StringOr("mode", "EXACT"));
  for (const UnaryRow& row : kUnaryRows) {
    if (row.op != type) continue;
    f = row.f;
    params.epsilon = static_cast<float>(context.op.NumberOr("epsilon", row.epsilon));
  }
  if (f == nullptr) return Fail(ErrorCode::kUnsupported, "no kernel");
  params.alpha = static_cast<float>(context.op.NumberOr("alpha", 0));
  params.beta = static_cast<float>(context.op.NumberOr("beta", 0));
  return Kernel([f, params](const KernelArgs& args) {
    const Tensor& x = args.In(0);
    if (x.IsFloat()) {
      const std::span<float> out = args.NewFloats(0);
      for (size_t i = 0; i < out.size(); ++i) out[i] = f(x.floats.get()[i], params);
    } else {
      const std::span<int32_t> out = args.NewInts(0);
      for (size_t i = 0; i < out.size(); ++i)
        out[i] = ToInt(f(static_cast<float>(x.ints.get()[i]), params));
    }
  });
}

Result<Kernel> Cast(const KernelContext&) {
  return Kernel([](const KernelArgs& args) {
    const Tensor& x = args.In(0);
    const DType to = args.out[0].type.dtype;
    if (Traits(to).type_class == DTypeClass::kFloat) {
      const std::span<float> out = args.NewFloats(0);
      for (size_t i = 0; i < out.size(); ++i)
        out[i] = x.IsFloat() ? x.floats.get()[i] : static_cast<float>(x.ints.get()[i]);
      return;
    }
    const std::span<int32_t> out = args.NewInts(0);
    for (size_t i = 0; i < out.size(); ++i) {
      if (!x.IsFloat()) {
        out[i] = Narrow(x.ints.get()[i], to);
      } else {
        out[i] = to == DType::kBool ? (x.floats.get()[i] != 0.0F ? 1 : 0)
                                    : Narrow(ToInt(x.floats.get()[i]), to);
      }
    }
  });
}

}  // namespace headway::mil::kernels
