#include "device/coreml/run/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace headway::mil {
namespace {

// 4 GiB of binary32: more is a mistake in the program, not a model.
constexpr int64_t kMaxElements = int64_t{1} << 30;

// Parameters that fix shapes but may be computed.
constexpr std::string_view kShapeParams[] = {"begin", "end", "size", "shape", "reps"};

class PlanBuilder {
 public:
  PlanBuilder(const Function& function, const BlobSource* blobs, Plan* plan)
      : function_(function), blobs_(blobs), plan_(*plan) {}

  Result<void> Run() {
    for (const NamedType& input : function_.inputs) {
      if (!input.type.is_state) NewSlot(input.name);
    }
    for (const Operation& op : function_.Body()->operations) {
      if (IsConstantOp(op.type)) continue;
      if (Result<void> added = AddStep(op); !added) {
        return Prefixed(std::move(added).error(),
                        fmt::format("op '{}' (name '{}')", op.type, op.Name()));
      }
    }
    for (const std::string& output : function_.Body()->outputs) {
      HW_TRY([[maybe_unused]] const int slot, SlotOf(output));
    }
    MarkLastUses();
    return {};
  }

 private:
  int NewSlot(const std::string& name) {
    const int slot = static_cast<int>(plan_.values.size());
    plan_.values.emplace_back();
    if (!name.empty()) plan_.slots[name] = slot;
    return slot;
  }

  // The slot of a value; constants are decoded into theirs at their first use.
  Result<int> SlotOf(const Binding& binding) {
    const auto* name = std::get_if<std::string>(&binding);
    if (name != nullptr) {
      if (const auto found = plan_.slots.find(*name); found != plan_.slots.end())
        return found->second;
    }
    HW_TRY(Tensor tensor, plan_.constants->Dense(binding));
    const int slot = NewSlot(name == nullptr ? std::string() : *name);
    plan_.values[static_cast<size_t>(slot)] = std::move(tensor);
    constant_slots_.insert(slot);
    return slot;
  }

  Result<void> AddInputs(const Operation& op, PlanStep* step) {
    for (std::string_view param : step->row->params) {
      const bool only_computed = param.front() == '*';
      if (only_computed) param.remove_prefix(1);
      const auto found = op.inputs.find(std::string(param));
      if (found == op.inputs.end()) {
        step->inputs.push_back(-1);
        continue;
      }
      for (const Binding& binding : found->second) {
        if (only_computed && plan_.constants->IsConstant(binding)) {
          step->inputs.push_back(-1);
          continue;
        }
        HW_TRY(const int slot, SlotOf(binding));
        step->inputs.push_back(slot);
      }
    }
    return {};
  }

  Result<void> AddStep(const Operation& op) {
    PlanStep step;
    step.op = &op;
    if (op.type == "read_state" || op.type == "write_state") {
      const bool read = op.type == "read_state";
      step.kind = read ? PlanStep::Kind::kReadState : PlanStep::Kind::kWriteState;
      step.state = std::get<std::string>(op.inputs.at("input").front());
      if (!read) {
        HW_TRY(const int slot, SlotOf(op.inputs.at("data").front()));
        step.inputs.push_back(slot);
      }
    } else {
      step.row = FindKernel(op.type);
      if (step.row == nullptr) return Fail(ErrorCode::kUnsupported, "no kernel");
      HW_TRY_VOID(AddInputs(op, &step));
    }
    bool known = true;
    for (const NamedType& output : op.outputs) {
      const TensorType type = plan_.scope.TypeOf(output.name)->tensor;
      known = known && IsFullyKnown(type.dims);
      if (IsFullyKnown(type.dims) &&
          NumElements(type.dims).value_or(kMaxElements + 1) > kMaxElements) {
        return Fail(ErrorCode::kUnsupported,
                    fmt::format("a value of type {} is too large to interpret",
                                ToString(Type{type, false})));
      }
      step.types.push_back(type);
      step.outputs.push_back(NewSlot(output.name));
    }
    const OpView view(op, plan_.scope, blobs_);
    for (const std::string_view param : kShapeParams) {
      if (step.row == nullptr || !view.Has(param) || view.ConstantOf(param) != nullptr) continue;
      known = false;
      HW_TRY([[maybe_unused]] const int slot, SlotOf(op.inputs.at(std::string(param)).front()));
    }
    const bool inputs_known =
        std::all_of(op.inputs.begin(), op.inputs.end(), [&](const auto& input) {
          return std::all_of(input.second.begin(), input.second.end(), [&](const Binding& binding) {
            const auto* name = std::get_if<std::string>(&binding);
            return name == nullptr || IsFullyKnown(plan_.scope.TypeOf(*name)->tensor.dims);
          });
        });
    if (step.row != nullptr && known && inputs_known) {
      HW_TRY(step.kernel, step.row->make({view, *plan_.constants}));
    }
    plan_.steps.push_back(std::move(step));
    return {};
  }

  void MarkLastUses() {
    std::set<int> needed;
    for (const std::string& output : function_.Body()->outputs)
      needed.insert(plan_.slots.at(output));
    for (const PlanStep& step : plan_.steps) {  // values that run-time parameters come from stay
      if (step.row != nullptr && !step.kernel) {
        for (const auto& [param, argument] : step.op->inputs) {
          for (const Binding& binding : argument) {
            const auto* name = std::get_if<std::string>(&binding);
            if (name == nullptr) continue;
            if (const auto found = plan_.slots.find(*name); found != plan_.slots.end())
              needed.insert(found->second);
          }
        }
      }
    }
    for (size_t i = plan_.steps.size(); i-- > 0;) {
      PlanStep& step = plan_.steps[i];
      for (const std::vector<int>* list : {&step.inputs, &step.outputs}) {
        for (const int slot : *list) {
          if (slot >= 0 && constant_slots_.count(slot) == 0 && needed.insert(slot).second) {
            step.last_uses.push_back(slot);
          }
        }
      }
    }
  }

  const Function& function_;
  const BlobSource* blobs_;
  Plan& plan_;
  std::set<int> constant_slots_;
};

// What is known of values while a program runs: their actual types, and integers as constants.
class RunTimeScope final : public ValueScope {
 public:
  RunTimeScope(const Plan& plan, const PlanStep& step) : plan_(plan) {
    for (const auto& [param, argument] : step.op->inputs) {
      for (const Binding& binding : argument) {
        if (const auto* name = std::get_if<std::string>(&binding)) Add(*name);
      }
    }
  }
  const Type* TypeOf(const std::string& name) const override {
    const auto found = types_.find(name);
    return found == types_.end() ? plan_.scope.TypeOf(name) : &found->second;
  }
  const Constant* ConstantOf(const std::string& name) const override {
    const auto found = constants_.find(name);
    return found == constants_.end() ? plan_.scope.ConstantOf(name) : &found->second;
  }

 private:
  void Add(const std::string& name) {
    const auto slot = plan_.slots.find(name);
    if (slot == plan_.slots.end()) return;
    const Tensor& tensor = plan_.values[static_cast<size_t>(slot->second)];
    types_[name] = {tensor.type, false};
    if (tensor.type.dtype != DType::kI32) return;
    const std::vector<double> values(tensor.Ints().begin(), tensor.Ints().end());
    constants_[name] = NumbersConstant(DType::kI32, tensor.type.dims, values);
  }

  const Plan& plan_;
  std::map<std::string, Type> types_;
  std::map<std::string, Constant> constants_;
};

}  // namespace

Result<std::unique_ptr<Plan>> MakePlan(const Function& function, const BlobSource* blobs,
                                       const std::map<std::string, Type>& input_types,
                                       int64_t keep_weight_bytes) {
  auto plan = std::make_unique<Plan>();
  HW_TRY(plan->scope, VerifyFunction(function, blobs, input_types));
  plan->constants =
      std::make_unique<ConstantStore>(function, plan->scope, blobs, keep_weight_bytes);
  HW_TRY_VOID(PlanBuilder(function, blobs, plan.get()).Run());
  return plan;
}

Result<void> ResolveAtRunTime(const Plan& plan, const BlobSource* blobs, PlanStep* step) {
  const RunTimeScope scope(plan, *step);
  const OpView view(*step->op, scope, blobs);
  HW_TRY(const std::vector<Type> types, FindOpSpec(*step->op)->infer(view));
  for (size_t i = 0; i < types.size(); ++i) {
    if (!IsFullyKnown(types[i].tensor.dims) ||
        NumElements(types[i].tensor.dims).value_or(kMaxElements + 1) > kMaxElements) {
      return Fail(ErrorCode::kUnsupported,
                  "expected extents known at run time, found " + ToString(types[i]));
    }
    if (!Compatible(types[i].tensor.dims, step->types[i].dims)) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("expected {} as declared, found {}",
                              ToString(Type{step->types[i], false}), ToString(types[i])));
    }
    step->types[i] = types[i].tensor;
  }
  HW_TRY(step->kernel, step->row->make({view, *plan.constants}));
  return {};
}

}  // namespace headway::mil
