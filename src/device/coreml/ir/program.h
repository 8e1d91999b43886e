#pragma once

// A MIL program as data: functions of one block, blocks of operations in static single assignment
// form, values known by name. Nothing here knows bytes or protobuf (device/coreml/package does), so
// that a later format can carry the same program. Source: MIL.proto (Program -> Function -> Block
// -> Operation).

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "device/coreml/ir/constant.h"
#include "device/coreml/ir/type.h"

namespace headway::mil {

// What a parameter is bound to: the name of a value defined before, or a constant written in place.
using Binding = std::variant<std::string, Constant>;
// One binding, or several for the variadic parameters (`values` of concat and stack).
using Argument = std::vector<Binding>;

struct Block;

struct Operation {
  std::string type;  // "conv": without the opset prefix
  std::map<std::string, Argument>
      inputs;                      // by parameter name; sorted, so that files are reproducible
  std::vector<NamedType> outputs;  // none for write_state
  std::map<std::string, Constant> attributes;  // "name", and "val" of a const
  std::vector<Block> blocks;                   // of cond and while_loop, which the verifier rejects

  // The attribute "name", or "" where it is missing or not a string.
  std::string_view Name() const;
};

struct Block {
  std::vector<NamedType> inputs;
  std::vector<Operation> operations;
  std::vector<std::string> outputs;
};

struct Function {
  std::vector<NamedType> inputs;  // states among them
  std::string opset;              // "CoreML8"
  std::map<std::string, Block> specializations;

  // The body for `opset`; null when there is none.
  const Block* Body() const;
  Block* Body();
};

// The states among its inputs.
std::map<std::string, TensorType> StatesOf(const Function& function);

struct Program {
  int64_t version = 1;
  std::map<std::string, Function> functions;
};

// True for const and the constexpr_* ops: evaluated when the model is loaded, not counted as
// compute.
bool IsConstantOp(std::string_view op_type);

struct Histogram {
  std::map<std::string, int64_t> ops;  // compute ops by type; constants excluded
  int64_t num_compute = 0;
  int64_t num_convs = 0;
  int64_t num_constexprs = 0;
};

// Counts the operations of a block in the terms of MLComputePlan reports
// (docs/formats/coreml_package.md).
Histogram CountOps(const Block& block);

// The opset that goes with a specification version (6: CoreML5 to 10: CoreML9); "" for others.
std::string_view OpsetOfSpecification(int specification_version);

// The specification version an opset first appears in; 0 for an unknown name.
int SpecificationOfOpset(std::string_view opset);

}  // namespace headway::mil
