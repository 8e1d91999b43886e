#pragma once

// For tests of the interpreter: small tensors, and a program of one op.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "device/coreml/ir/builder.h"
#include "device/coreml/run/interpreter.h"

namespace headway::mil {

using Params = FunctionBuilder::Params;

inline Constant Ints(std::initializer_list<int64_t> values) {
  return IntsConstant(std::vector<int64_t>(values));
}

inline std::vector<float> Floats(const Tensor& tensor) {
  if (!tensor.IsFloat()) return {tensor.Ints().begin(), tensor.Ints().end()};
  return {tensor.Floats().begin(), tensor.Floats().end()};
}

inline Tensor F32(Dims dims, std::vector<float> values) {
  return MakeTensor(DType::kF32, std::move(dims), values);
}

inline Tensor I32(Dims dims, std::vector<int32_t> values) {
  return MakeIntTensor(DType::kI32, std::move(dims), values);
}

// Runs one op on computed inputs and gives its first output.
inline std::vector<float> RunOp(const std::string& op,
                                const std::vector<std::pair<std::string, Tensor>>& tensors,
                                Params params, size_t output = 0) {
  FunctionBuilder f("CoreML8");
  TensorMap inputs;
  for (const auto& [param, tensor] : tensors) {
    const std::string name = f.Input("in_" + param, tensor.type.dtype, tensor.type.dims);
    inputs[name] = tensor;
    params.push_back({param, {name}});
  }
  const auto names = f.OpMulti(op, "out", params);
  for (const std::string& name : names) f.Output(name);
  auto function = f.Finish();
  EXPECT_TRUE(function.has_value()) << op << ": " << function.error().message;
  if (!function) return {};
  auto interpreter = Interpreter::Create(*function, nullptr, {});
  TensorMap states;
  auto outputs = interpreter->Run(inputs, &states);
  EXPECT_TRUE(outputs.has_value()) << op << ": " << outputs.error().message;
  return outputs ? Floats(outputs->at(names[output])) : std::vector<float>();
}

}  // namespace headway::mil
