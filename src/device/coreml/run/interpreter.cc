#include "device/coreml/run/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "device/coreml/run/plan.h"

namespace headway::mil {

struct Interpreter::State {
  const Function* function = nullptr;
  const BlobSource* blobs = nullptr;
  InterpreterOptions options;
  std::shared_ptr<BufferPool> buffers = std::make_shared<BufferPool>();
  std::map<std::vector<int64_t>, std::unique_ptr<Plan>> plans;  // by the extents of all inputs
  std::string not_finite;  // the first op that gave such a value

  Result<Plan*> PlanFor(const std::map<std::string, Type>& types);
};

namespace {

Result<void> CheckType(const Tensor& tensor, const Type& expected, const std::string& what) {
  if (!Compatible(Type{tensor.type, false}, Type{expected.tensor, false}) ||
      !IsFullyKnown(tensor.type.dims)) {
    return Fail(ErrorCode::kInvalidInput, fmt::format("{}: expected {}, found {}", what,
                                                      ToString(Type{expected.tensor, false}),
                                                      ToString(Type{tensor.type, false})));
  }
  return {};
}

// The inputs of the function as given, with their actual shapes.
Result<std::map<std::string, Type>> ActualTypes(const Function& function, const TensorMap& inputs,
                                                const TensorMap& states) {
  std::map<std::string, Type> types;
  for (const NamedType& input : function.inputs) {
    const TensorMap& from = input.type.is_state ? states : inputs;
    const std::string what =
        fmt::format("{} '{}'", input.type.is_state ? "state" : "input", input.name);
    const auto found = from.find(input.name);
    if (found == from.end()) return Fail(ErrorCode::kInvalidInput, what + " is missing");
    HW_TRY_VOID(CheckType(found->second, input.type, what));
    types[input.name] = {found->second.type, input.type.is_state};
  }
  return types;
}

// The plan for inputs of these types, made at its first use.
using PlanKey = std::vector<int64_t>;
PlanKey KeyOf(const std::map<std::string, Type>& types) {
  PlanKey key;
  for (const auto& [name, type] : types) {
    key.insert(key.end(), type.tensor.dims.begin(), type.tensor.dims.end());
    key.push_back(kUnknownDim);
  }
  return key;
}

bool AllFinite(std::span<const float> values) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t largest = 0;
  for (const float value : values)
    largest = std::max(largest, std::bit_cast<uint32_t>(value) & kExponent);
  return largest != kExponent;
}

void RunKernel(const PlanStep& step, const InterpreterOptions& options, BufferPool* buffers,
               Plan* plan, std::string* not_finite) {
  std::vector<const Tensor*> in;
  in.reserve(step.inputs.size());
  for (const int slot : step.inputs) {
    in.push_back(slot < 0 ? nullptr : &plan->values[static_cast<size_t>(slot)]);
  }
  std::vector<Tensor> out(step.outputs.size());
  for (size_t i = 0; i < out.size(); ++i) out[i].type = step.types[i];
  step.kernel({in, out, options.pool, buffers});
  for (size_t i = 0; i < out.size(); ++i) {
    const bool round = out[i].type.dtype == DType::kF16 && !step.row->exact &&
                       options.precision == Precision::kF16PerOp;
    if (round) RoundToHalf(out[i].Floats());
    const bool floats = out[i].type.dtype == DType::kF16 || out[i].type.dtype == DType::kF32;
    if (floats && not_finite->empty() && !AllFinite(out[i].Floats()))
      *not_finite = fmt::format("op '{}' (name '{}')", step.op->type, step.op->Name());
    plan->values[static_cast<size_t>(step.outputs[i])] = std::move(out[i]);
  }
}

}  // namespace

Interpreter::Interpreter(std::unique_ptr<State> state) : state_(std::move(state)) {}
Interpreter::Interpreter(Interpreter&&) noexcept = default;
Interpreter& Interpreter::operator=(Interpreter&&) noexcept = default;
Interpreter::~Interpreter() = default;

Result<Interpreter> Interpreter::Create(const Function& function, const BlobSource* blobs,
                                        const InterpreterOptions& options) {
  if (auto verified = VerifyFunction(function, blobs); !verified) {
    return tl::unexpected<Error>(std::move(verified).error());
  }
  auto state = std::make_unique<State>();
  state->function = &function;
  state->blobs = blobs;
  state->options = options;
  return Interpreter(std::move(state));
}

const std::string& Interpreter::FirstNotFinite() const { return state_->not_finite; }

TensorMap Interpreter::NewStates() const {
  TensorMap states;
  for (const NamedType& input : state_->function->inputs) {
    if (input.type.is_state)
      states[input.name] = ZeroTensor(input.type.tensor.dtype, input.type.tensor.dims);
  }
  return states;
}

Result<Plan*> Interpreter::State::PlanFor(const std::map<std::string, Type>& types) {
  const PlanKey key = KeyOf(types);
  if (const auto found = plans.find(key); found != plans.end()) return found->second.get();
  HW_TRY(std::unique_ptr<Plan> plan, MakePlan(*function, blobs, types, options.keep_weight_bytes));
  return plans.emplace(key, std::move(plan)).first->second.get();
}

Result<std::map<std::string, TensorType>> Interpreter::Prepare(
    const std::map<std::string, Dims>& input_dims) {
  TensorMap inputs;  // types without storage
  TensorMap states;
  for (const NamedType& input : state_->function->inputs) {
    const auto found = input_dims.find(input.name);
    if (input.type.is_state) {
      states[input.name].type = input.type.tensor;
    } else if (found != input_dims.end()) {
      inputs[input.name].type = {input.type.tensor.dtype, found->second};
    }
  }
  HW_TRY(const auto types, ActualTypes(*state_->function, inputs, states));
  HW_TRY(const Plan* const plan, state_->PlanFor(types));
  for (const PlanStep& step : plan->steps) {
    if (step.kind != PlanStep::Kind::kKernel || step.kernel) continue;
    return Fail(ErrorCode::kUnsupported,
                fmt::format("op '{}' (name '{}'): expected parameters that are constants",
                            step.op->type, step.op->Name()));
  }
  std::map<std::string, TensorType> outputs;
  for (const std::string& name : state_->function->Body()->outputs)
    outputs[name] = plan->scope.TypeOf(name)->tensor;
  return outputs;
}

Result<TensorMap> Interpreter::Run(const TensorMap& inputs, TensorMap* states) {
  HW_TRY(const auto types, ActualTypes(*state_->function, inputs, *states));
  HW_TRY(Plan* const plan, state_->PlanFor(types));
  for (const auto& [name, tensor] : inputs) {
    if (const auto slot = plan->slots.find(name);
        slot != plan->slots.end() && types.count(name) != 0) {
      plan->values[static_cast<size_t>(slot->second)] = tensor;
    }
  }
  for (PlanStep& step : plan->steps) {
    if (step.kind == PlanStep::Kind::kReadState) {
      plan->values[static_cast<size_t>(step.outputs[0])] = states->at(step.state);
    } else if (step.kind == PlanStep::Kind::kWriteState) {
      (*states)[step.state] = plan->values[static_cast<size_t>(step.inputs[0])];
    } else if (step.kernel) {
      RunKernel(step, state_->options, state_->buffers.get(), plan, &state_->not_finite);
    } else {
      PlanStep resolved = step;
      if (Result<void> done = ResolveAtRunTime(*plan, state_->blobs, &resolved); !done) {
        return Prefixed(std::move(done).error(),
                        fmt::format("op '{}' (name '{}')", step.op->type, step.op->Name()));
      }
      RunKernel(resolved, state_->options, state_->buffers.get(), plan, &state_->not_finite);
    }
    for (const int slot : step.last_uses) plan->values[static_cast<size_t>(slot)] = Tensor();
  }
  TensorMap outputs;
  for (const std::string& name : state_->function->Body()->outputs) {
    outputs[name] = plan->values[static_cast<size_t>(plan->slots.at(name))];
  }
  return outputs;
}

}  // namespace headway::mil
