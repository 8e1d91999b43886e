#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "device/coreml/ir/verify.h"

namespace headway::mil {
namespace {

// A multi-array has at least one axis: MIL's scalars are declared as [1].
Dims DescribedDims(const Dims& dims) { return dims.empty() ? Dims{1} : dims; }

Result<void> CheckElementType(const Feature& feature, DType found, int specification) {
  constexpr DTypeSet kOutside =
      Only(DType::kF16) | Only(DType::kF32) | Only(DType::kF64) | Only(DType::kI32);
  const bool allowed =
      (Contains(kOutside, feature.dtype) || (feature.dtype == DType::kI8 && specification >= 10)) &&
      (feature.dtype != DType::kF16 || specification >= 7);
  if (!allowed) {
    return Invalid(fmt::format("element type {} cannot enter or leave a model of specification {}",
                               NameOf(feature.dtype), specification));
  }
  if (feature.dtype != found) {
    return Invalid(
        fmt::format("described as {}, the function has {}", NameOf(feature.dtype), NameOf(found)));
  }
  return {};
}

// Ranges and enumerated shapes: one entry per axis, the default among them, flexible exactly where
// the function's axis is unknown.
Result<void> CheckFlexibility(const Feature& feature, const Dims& dims) {
  if (feature.flexibility == Flexibility::kRange) {
    if (feature.ranges.size() != feature.shape.size()) {
      return Invalid(fmt::format("expected one range per axis of {}, found {}",
                                 ToString(feature.shape), feature.ranges.size()));
    }
    for (size_t i = 0; i < feature.ranges.size(); ++i) {
      const DimRange& range = feature.ranges[i];
      const int64_t shape = feature.shape[i];
      if (shape < 0 || range.lower > static_cast<uint64_t>(shape) ||
          (range.upper >= 0 && shape > range.upper)) {
        return Invalid(fmt::format("axis {}: default {} lies outside [{}, {}]", i, shape,
                                   range.lower, range.upper));
      }
      const bool flexible = range.upper < 0 || range.lower != static_cast<uint64_t>(range.upper);
      if (flexible != (dims[i] == kUnknownDim)) {
        return Invalid(fmt::format("axis {}: described as {}, the function has {}", i,
                                   flexible ? "flexible" : "fixed", ToString(dims)));
      }
    }
    return {};
  }
  if (feature.flexibility == Flexibility::kEnumerated) {
    const auto fits = [&](const Dims& shape) { return Compatible(shape, dims); };
    if (!std::all_of(feature.enumerated.begin(), feature.enumerated.end(), fits) ||
        std::find(feature.enumerated.begin(), feature.enumerated.end(), feature.shape) ==
            feature.enumerated.end()) {
      return Invalid("expected enumerated shapes that fit the function and contain the default");
    }
    return {};
  }
  if (!IsFullyKnown(dims))
    return Invalid("the function has a flexible axis, the description has none");
  return {};
}

using FeatureCheck = Result<void> (*)(const Feature&, const Type&, int specification);

Result<void> CheckInput(const Feature& feature, const Type& type, int specification) {
  if (type.is_state) return Invalid("described as an input, the function has a state");
  HW_TRY_VOID(CheckElementType(feature, type.tensor.dtype, specification));
  const Dims dims = DescribedDims(type.tensor.dims);
  if (!Compatible(feature.shape, dims)) {
    return Invalid(fmt::format("described as {}, the function has {}", ToString(feature.shape),
                               ToString(dims)));
  }
  return CheckFlexibility(feature, dims);
}

Result<void> CheckOutput(const Feature& feature, const Type& type, int specification) {
  HW_TRY_VOID(CheckElementType(feature, type.tensor.dtype, specification));
  const Dims dims = DescribedDims(type.tensor.dims);
  // Outputs of flexible shape are described without one; a missing shape is legal for the others
  // too.
  if (!feature.shape.empty() && !Compatible(feature.shape, dims)) {
    return Invalid(fmt::format("described as {}, the function has {}", ToString(feature.shape),
                               ToString(dims)));
  }
  return {};
}

Result<void> CheckState(const Feature& feature, const Type& type, int specification) {
  if (!type.is_state) return Invalid("described as a state, the function has an input");
  if (specification < 9)
    return Invalid(fmt::format("states need specification 9, found {}", specification));
  if (feature.dtype != DType::kF16 || type.tensor.dtype != DType::kF16)
    return Invalid("expected a state of fp16");
  if (feature.flexibility != Flexibility::kFixed || !IsFullyKnown(type.tensor.dims) ||
      feature.shape != type.tensor.dims) {
    return Invalid(fmt::format("expected one fixed shape, described as {}, the function has {}",
                               ToString(feature.shape), ToString(type.tensor.dims)));
  }
  return {};
}

// Each feature has its value in `types`; names it has seen are put into `seen`.
Result<void> CheckFeatures(const std::vector<Feature>& features,
                           const std::map<std::string, Type>& types, std::string_view what,
                           FeatureCheck check, int specification, std::set<std::string>* seen) {
  for (const Feature& feature : features) {
    const std::string context = fmt::format("description: {} '{}'", what, feature.name);
    const auto found = types.find(feature.name);
    if (found == types.end()) return Invalid(context + " is not in the function");
    if (!seen->insert(feature.name).second) return Invalid(context + " is described twice");
    if (Result<void> checked = check(feature, found->second, specification); !checked) {
      return Prefixed(std::move(checked).error(), context);
    }
  }
  return {};
}

Result<void> CheckDescription(const FunctionDescription& description, const Function& function,
                              const FunctionScope& scope, int specification) {
  std::map<std::string, Type> inputs;
  for (const NamedType& input : function.inputs) inputs[input.name] = input.type;
  std::set<std::string> seen;
  HW_TRY_VOID(CheckFeatures(description.inputs, inputs, "input", CheckInput, specification, &seen));
  HW_TRY_VOID(CheckFeatures(description.states, inputs, "state", CheckState, specification, &seen));
  for (const auto& [name, type] : inputs) {
    if (seen.count(name) == 0)
      return Invalid(fmt::format("description: the function's input '{}' is missing", name));
  }
  std::map<std::string, Type> outputs;
  for (const std::string& name : function.Body()->outputs) outputs[name] = *scope.TypeOf(name);
  seen.clear();
  HW_TRY_VOID(
      CheckFeatures(description.outputs, outputs, "output", CheckOutput, specification, &seen));
  for (const auto& [name, type] : outputs) {
    if (seen.count(name) == 0)
      return Invalid(fmt::format("description: the function's output '{}' is missing", name));
  }
  return {};
}

}  // namespace

Result<void> VerifyModel(const Model& model, const BlobSource* blobs) {
  if (OpsetOfSpecification(model.specification_version).empty()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("model: expected specification version 6 to 10, found {}",
                            model.specification_version));
  }
  HW_TRY_VOID(VerifyProgram(model.program, blobs));
  if (model.functions.size() > 1 && model.specification_version < 9) {
    return Invalid("model: several functions need specification 9");
  }
  for (const auto& [name, function] : model.program.functions) {
    const FunctionDescription* description = model.Find(name);
    if (description == nullptr)
      return Invalid(fmt::format("description: function '{}' is missing", name));
    if (function.opset != OpsetOfSpecification(model.specification_version)) {
      return Invalid(fmt::format("function '{}': expected opset {} with specification {}, found {}",
                                 name, OpsetOfSpecification(model.specification_version),
                                 model.specification_version, function.opset));
    }
    HW_TRY(const FunctionScope scope, VerifyFunction(function, blobs));
    HW_TRY_VOID(CheckDescription(*description, function, scope, model.specification_version));
  }
  for (const FunctionDescription& description : model.functions) {
    if (model.program.functions.count(description.name) == 0) {
      return Invalid(
          fmt::format("description: function '{}' is not in the program", description.name));
    }
  }
  if (model.functions.size() > 1 && model.Find(model.default_function) == nullptr) {
    return Invalid(
        fmt::format("description: default function '{}' is not described", model.default_function));
  }
  return {};
}

}  // namespace headway::mil
