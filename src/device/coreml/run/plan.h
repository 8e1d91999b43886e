#pragma once

// A function made ready to run for one combination of input shapes: values have slots, parameters
// are read, weights are found. Built by the interpreter, kept per combination.

#include <memory>
#include <string>
#include <vector>

#include "device/coreml/ir/verify.h"
#include "device/coreml/run/kernel.h"

namespace headway::mil {

struct PlanStep {
  enum class Kind : uint8_t { kKernel, kReadState, kWriteState };

  const Operation* op = nullptr;
  const KernelRow* row = nullptr;  // kKernel
  Kind kind = Kind::kKernel;
  Kernel kernel;             // null: made at run time, from values known only then
  std::vector<int> inputs;   // slots; -1 where an optional parameter is absent
  std::vector<int> outputs;  // slots
  std::vector<TensorType>
      types;          // of the outputs; unknown extents where the kernel is made at run time
  std::string state;  // kReadState, kWriteState
  std::vector<int> last_uses;  // slots that no later step reads
};

struct Plan {
  FunctionScope scope;
  std::unique_ptr<ConstantStore> constants;
  std::map<std::string, int> slots;  // of every value that is not only a parameter
  std::vector<Tensor> values;  // by slot; constants are filled in, the rest is filled while running
  std::vector<PlanStep> steps;
};

// `input_types`: types of all inputs, with known extents. Errors: the function does not verify with
// them; an op without a kernel; a value too large to hold.
Result<std::unique_ptr<Plan>> MakePlan(const Function& function, const BlobSource* blobs,
                                       const std::map<std::string, Type>& input_types,
                                       int64_t keep_weight_bytes);

// Extents and kernel of a step whose parameters are computed: reads them from `values`.
Result<void> ResolveAtRunTime(const Plan& plan, const BlobSource* blobs, PlanStep* step);

}  // namespace headway::mil
