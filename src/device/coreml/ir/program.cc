#include "device/coreml/ir/program.h"

#include <array>
#include <utility>

namespace headway::mil {
namespace {

// Source: Core ML specification versions and MIL opsets.
constexpr std::array<std::pair<int, std::string_view>, 5> kOpsets = {
    {{6, "CoreML5"}, {7, "CoreML6"}, {8, "CoreML7"}, {9, "CoreML8"}, {10, "CoreML9"}}};

}  // namespace

std::string_view Operation::Name() const {
  const auto found = attributes.find("name");
  if (found == attributes.end()) return {};
  const auto* texts = std::get_if<std::vector<std::string>>(&found->second.value);
  return texts == nullptr || texts->empty() ? std::string_view() : std::string_view(texts->front());
}

const Block* Function::Body() const {
  const auto found = specializations.find(opset);
  return found == specializations.end() ? nullptr : &found->second;
}

Block* Function::Body() {
  const auto found = specializations.find(opset);
  return found == specializations.end() ? nullptr : &found->second;
}

std::map<std::string, TensorType> StatesOf(const Function& function) {
  std::map<std::string, TensorType> states;
  for (const NamedType& input : function.inputs) {
    if (input.type.is_state) states[input.name] = input.type.tensor;
  }
  return states;
}

bool IsConstantOp(std::string_view op_type) {
  return op_type == "const" || op_type.substr(0, 10) == "constexpr_";
}

Histogram CountOps(const Block& block) {
  Histogram histogram;
  for (const Operation& op : block.operations) {
    if (op.type == "const") continue;
    if (IsConstantOp(op.type)) {
      ++histogram.num_constexprs;
      continue;
    }
    ++histogram.ops[op.type];
    ++histogram.num_compute;
    if (op.type == "conv") ++histogram.num_convs;
  }
  return histogram;
}

std::string_view OpsetOfSpecification(int specification_version) {
  for (const auto& [version, opset] : kOpsets) {
    if (version == specification_version) return opset;
  }
  return {};
}

int SpecificationOfOpset(std::string_view opset) {
  for (const auto& [version, name] : kOpsets) {
    if (name == opset) return version;
  }
  return 0;
}

}  // namespace headway::mil
