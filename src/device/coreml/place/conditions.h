#pragma once

// Whether a placement rule's condition holds of an op, or of a program. Inside this folder only.

#include <cstdint>

#include "device/coreml/ir/program.h"
#include "device/coreml/ir/verify.h"
#include "device/coreml/place/rules.h"

namespace headway::mil {

// What the conditions ask of a program. Views of the function and its scope.
struct Facts {
  // Counts weights, each blob once, and states.
  Facts(const Function& of_function, const FunctionScope& of_scope);

  const Function& function;
  const FunctionScope& scope;
  int64_t weight_bytes = 0;
  int64_t weight_elements = 0;
  int64_t states = 0;
  bool flexible = false;
  bool writes_states = false;
};

// What a condition asks of an op; of the program it asks elsewhere.
bool OpHolds(const Condition& c, const Facts& facts, const Operation& op);
bool ProgramHolds(const Condition& c, const Facts& facts);

}  // namespace headway::mil
