#include "device/coreml/interpreting_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/exhaustion.h"
#include "device/coreml/program.h"
#include "device/coreml/run/interpreter.h"
#include "device/coreml/shard_prediction.h"

namespace headway::coreml {
namespace {

// Elements of the constants that products read.
int64_t WeightElements(const mil::Function& function) {
  int64_t total = 0;
  for (const mil::Operation& op : function.Body()->operations) {
    if (!mil::IsConstantOp(op.type)) continue;
    for (const mil::NamedType& output : op.outputs)
      total += mil::NumElements(output.type.tensor.dims).value_or(0);
  }
  return total;
}

mil::Tensor ToTensor(const Array& array) {
  mil::Tensor tensor = mil::ZeroTensor(array.Type().dtype, array.Type().dims);
  HW_CHECK(tensor.IsFloat(), "fp16 inputs");
  const std::span<float> values = tensor.Floats();
  array.Read([&](const std::byte* first, std::span<const int64_t> /*strides*/) {
    const auto* const halves = reinterpret_cast<const F16*>(first);
    for (size_t i = 0; i < values.size(); ++i) values[i] = ToFloat(halves[i]);
  });
  return tensor;
}

void FromTensor(const mil::Tensor& tensor, HostArray* to) {
  if (tensor.IsFloat()) {
    const std::span<const float> values = tensor.Floats();
    std::transform(values.begin(), values.end(), to->Halves(), ToF16);
  } else {
    const std::span<const int32_t> values = tensor.Ints();
    std::copy(values.begin(), values.end(), to->Ints());
  }
}

class InterpreterStates final : public ProgramStates {
 public:
  explicit InterpreterStates(mil::TensorMap states) : states_(std::move(states)) {}
  int64_t Bytes() const override {
    int64_t bytes = 0;
    for (const auto& [name, state] : states_)
      bytes += state.Count() * static_cast<int64_t>(sizeof(float));
    return bytes;
  }
  Result<void> CopyFrom(const ProgramStates& other) override {
    states_ = static_cast<const InterpreterStates&>(other).states_;
    return {};
  }
  mil::TensorMap* States() { return &states_; }

 private:
  mil::TensorMap states_;
};

class InterpretingRunner final : public Runner {
 public:
  InterpretingRunner(const LoadedProgram& program, mil::Interpreter interpreter)
      : program_(program), interpreter_(std::move(interpreter)) {}

  Result<std::shared_ptr<HostArray>> NewArray(const mil::TensorType& type) override {
    return std::make_shared<HostArray>(type);
  }
  Result<std::unique_ptr<ProgramStates>> NewStates() override {
    return std::make_unique<InterpreterStates>(interpreter_.NewStates());
  }
  Result<std::map<std::string, mil::TensorType>> Prepare(
      const std::map<std::string, mil::Dims>& inputs) override {
    return interpreter_.Prepare(inputs);
  }

  Result<Arrays> Run(const Prediction& prediction) noexcept override {
    return OrOutOfMemory("interpreting", [&] { return Interpret(prediction); });
  }

  std::optional<std::string> FirstNotFinite() const override {
    return interpreter_.FirstNotFinite();
  }
  Residency Placement() override {
    return ToResidency(mil::PredictPlacement(
        *program_.main,
        {.weight_bytes = static_cast<int64_t>(program_.package->weights.SizeBytes())}));
  }

 private:
  Result<Arrays> Interpret(const Prediction& prediction) {
    mil::TensorMap inputs;
    for (const auto& [name, array] : *prediction.inputs) inputs[name] = ToTensor(*array);
    mil::TensorMap none;
    auto* const states = static_cast<InterpreterStates*>(prediction.states_or_null);
    HW_TRY(const mil::TensorMap results,
           interpreter_.Run(inputs, states == nullptr ? &none : states->States()));
    Arrays outputs;
    for (const auto& [name, asked] : *prediction.outputs) {
      const auto found = results.find(name);
      if (found == results.end() || found->second.type != asked->Type()) {
        return Fail(ErrorCode::kCorrupt,
                    fmt::format("output '{}': expected {}, found {}", name,
                                mil::ToString(mil::Type{asked->Type(), false}),
                                found == results.end()
                                    ? "none"
                                    : mil::ToString(mil::Type{found->second.type, false})));
      }
      FromTensor(found->second, static_cast<HostArray*>(asked.get()));
      outputs[name] = asked;
    }
    return outputs;
  }

  const LoadedProgram& program_;
  mil::Interpreter interpreter_;
};

class InterpretingSource final : public RunnerSource {
 public:
  InterpretingSource(ThreadPool* pool, int64_t keep_bytes) : pool_(pool), keep_bytes_(keep_bytes) {}

  std::string_view Name() const override { return "interpreted"; }
  bool IsDevice() const override { return false; }
  Result<std::unique_ptr<Runner>> Open(const LoadedProgram& program) override {
    const int64_t wanted = WeightElements(*program.main) * static_cast<int64_t>(sizeof(float));
    const int64_t kept = std::min(keep_bytes_, wanted);
    keep_bytes_ -= kept;
    HW_TRY(mil::Interpreter interpreter,
           mil::Interpreter::Create(*program.main, &program.package->weights,
                                    {.keep_weight_bytes = kept, .pool = pool_}));
    return std::make_unique<InterpretingRunner>(program, std::move(interpreter));
  }

 private:
  ThreadPool* const pool_;
  int64_t keep_bytes_;
};

}  // namespace

std::unique_ptr<RunnerSource> InterpreterSource(ThreadPool* pool, int64_t keep_bytes) {
  return std::make_unique<InterpretingSource>(pool, keep_bytes);
}

}  // namespace headway::coreml
