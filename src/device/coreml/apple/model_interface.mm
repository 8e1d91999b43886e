#include "device/coreml/apple/model_interface.h"

#include <fmt/format.h>

#include "device/coreml/apple/foundation.h"
#include "device/coreml/apple/multi_array.h"

namespace headway::coreml {
namespace {

// What Core ML tells of an array; no shape where an axis is flexible.
struct Told {
  mil::Dims shape;
  MLMultiArrayDataType type;
};

Result<void> Compare(const char* what, const std::string& name, const mil::TensorType& expected,
                     const Told* told_or_null) {
  const bool right = told_or_null != nullptr && told_or_null->type == DataTypeOf(expected.dtype) &&
                     (told_or_null->shape.empty() || !mil::IsFullyKnown(expected.dims) ||
                      told_or_null->shape == expected.dims);
  if (right) return {};
  return Fail(ErrorCode::kCorrupt,
              fmt::format("Core ML: expected the {} '{}' of {}, found {}", what, name,
                          mil::ToString(mil::Type{expected, false}),
                          told_or_null == nullptr
                              ? std::string("none")
                              : fmt::format("{} of type {:#x}", mil::ToString(told_or_null->shape),
                                            static_cast<long>(told_or_null->type))));
}

Result<void> CompareArray(const char* what, const std::string& name,
                          const mil::TensorType& expected,
                          NSDictionary<NSString*, MLFeatureDescription*>* features) {
  MLMultiArrayConstraint* const array = [[features objectForKey:ToNs(name)] multiArrayConstraint];
  if (array == nil) return Compare(what, name, expected, nullptr);
  const Told told{.shape = FromNs([array shape]), .type = [array dataType]};
  return Compare(what, name, expected, &told);
}

// The type of a value that the function makes, as declared.
mil::TensorType DeclaredType(const mil::Function& function, const std::string& name) {
  for (const mil::Operation& op : function.Body()->operations) {
    for (const mil::NamedType& output : op.outputs) {
      if (output.name == name) return output.type.tensor;
    }
  }
  return {};
}

}  // namespace

Result<void> CheckInterface(MLModelDescription* model, const mil::Function& main) {
  for (const mil::NamedType& input : main.inputs) {
    if (!input.type.is_state) {
      HW_TRY_VOID(
          CompareArray("input", input.name, input.type.tensor, [model inputDescriptionsByName]));
      continue;
    }
    MLStateConstraint* const state =
        [[[model stateDescriptionsByName] objectForKey:ToNs(input.name)] stateConstraint];
    if (state == nil) {
      HW_TRY_VOID(Compare("state", input.name, input.type.tensor, nullptr));
    } else {
      const Told told{.shape = FromNs([state bufferShape]), .type = [state dataType]};
      HW_TRY_VOID(Compare("state", input.name, input.type.tensor, &told));
    }
  }
  for (const std::string& name : main.Body()->outputs) {
    HW_TRY_VOID(
        CompareArray("output", name, DeclaredType(main, name), [model outputDescriptionsByName]));
  }
  return {};
}

}  // namespace headway::coreml
