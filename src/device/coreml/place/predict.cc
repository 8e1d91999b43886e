#include "device/coreml/place/predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "device/coreml/ir/verify.h"

namespace headway::mil {
namespace {

template <class T>
bool Has(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// What the conditions ask of a program.
struct Facts {
  const Function& function;
  const FunctionScope& scope;
  int64_t weight_bytes = 0;
  int64_t weight_elements = 0;
  int64_t states = 0;
  bool flexible = false;
};

// The op that produces a value; null for inputs and constants in place.
const Operation* Producer(const Facts& facts, const Binding& binding) {
  const auto* name = std::get_if<std::string>(&binding);
  const FunctionScope::Entry* entry = name == nullptr ? nullptr : facts.scope.Find(*name);
  if (entry == nullptr || entry->op_index < 0) return nullptr;
  return &facts.function.Body()->operations[static_cast<size_t>(entry->op_index)];
}

// Types of outputs and of inputs that are computed while the program runs, and of scalar literals.
std::vector<TensorType> ComputedTypes(const Facts& facts, const Operation& op) {
  constexpr std::string_view kTensorParams[] = {"x",     "y",       "a",     "b",      "values",
                                                "query", "key",     "value", "update", "data",
                                                "input", "indices", "cond"};
  std::vector<TensorType> types;
  for (const auto& [param, argument] : op.inputs) {
    if (std::ranges::find(kTensorParams, param) == std::end(kTensorParams)) continue;
    for (const Binding& binding : argument) {
      if (const auto* constant = std::get_if<Constant>(&binding)) {
        types.push_back(constant->type);
      } else if (const Type* type = facts.scope.TypeOf(std::get<std::string>(binding))) {
        types.push_back(type->tensor);
      }
    }
  }
  for (const NamedType& output : op.outputs)
    types.push_back(facts.scope.TypeOf(output.name)->tensor);
  return types;
}

// The constant that holds the codes of the weight an op reads, and the op that decodes it.
struct WeightFacts {
  const Operation* decoder = nullptr;
  TensorType codes;
  Dims scale;
  std::optional<DType> lut;
};

std::optional<WeightFacts> WeightOf(const Facts& facts, const Operation& op) {
  const auto param = op.inputs.find(op.type == "matmul" ? "y" : "weight");
  if (param == op.inputs.end()) return std::nullopt;
  const Operation* producer = Producer(facts, param->second.front());
  if (producer == nullptr || !IsConstantOp(producer->type)) return std::nullopt;
  const OpView view(*producer, facts.scope, nullptr);
  WeightFacts weight;
  weight.decoder = producer;
  for (const char* name : {"data", "indices", "quantized_data", "val"}) {
    if (const auto type = view.TypeOf(name)) weight.codes = type->tensor;
  }
  if (const auto scale = view.TypeOf("scale")) weight.scale = scale->tensor.dims;
  if (const auto lut = view.TypeOf("lut")) weight.lut = lut->tensor.dtype;
  return weight;
}

bool InNotch(const WeightFacts& weight, const DmaNotch& notch) {
  const Dims& dims = weight.codes.dims;
  if (dims.size() < 2 || !NumElements(dims)) return false;
  const int64_t rows = (dims[0] + notch.cores - 1) / notch.cores;
  const int64_t bytes =
      PackedBytes(weight.codes.dtype, rows * (*NumElements(dims) / std::max<int64_t>(1, dims[0])));
  const int64_t off = bytes % notch.step_bytes;
  return bytes >= notch.step_bytes - notch.tolerance_bytes &&
         std::min(off, notch.step_bytes - off) <= notch.tolerance_bytes;
}

bool WeightHolds(const Condition& c, const Facts& facts, const Operation& op) {
  const bool asked = !c.weight_dtype.empty() || !c.weight_lut_dtype.empty() ||
                     c.weight_blocks_along_input || c.dma_notch;
  if (!asked) return true;
  const auto weight = WeightOf(facts, op);
  if (!weight) return false;
  if (!c.weight_dtype.empty() && !Has(c.weight_dtype, weight->codes.dtype)) return false;
  if (!c.weight_lut_dtype.empty() && !(weight->lut && Has(c.weight_lut_dtype, *weight->lut)))
    return false;
  if (c.weight_blocks_along_input && !(weight->scale.size() > 1 && weight->scale[1] > 1))
    return false;
  return !c.dma_notch || InNotch(*weight, *c.dma_notch);
}

bool StartsInsideLastAxis(const OpView& view) {
  const auto begin = view.Ints("begin");
  const auto mask = view.Ints("begin_mask");
  if (!begin || begin->empty() || (mask && !mask->empty() && mask->back() != 0)) return false;
  return begin->back() != 0;
}

bool OpHolds(const Condition& c, const Facts& facts, const Operation& op) {
  if (!c.op.empty() && !Has(c.op, op.type)) return false;
  if (Has(c.not_op, op.type)) return false;
  const OpView view(op, facts.scope, nullptr);
  if (!c.any_dtype.empty() || c.rank_over || c.axis_over) {
    const std::vector<TensorType> types = ComputedTypes(facts, op);
    const bool any = std::any_of(types.begin(), types.end(), [&](const TensorType& type) {
      return (c.any_dtype.empty() || Has(c.any_dtype, type.dtype)) &&
             (!c.rank_over || static_cast<int64_t>(type.dims.size()) > *c.rank_over) &&
             (!c.axis_over || std::any_of(type.dims.begin(), type.dims.end(),
                                          [&](int64_t d) { return d > *c.axis_over; }));
    });
    if (!any) return false;
  }
  if (c.kernel_over) {
    const auto kernel = view.Ints("kernel_sizes");
    if (!kernel ||
        std::none_of(kernel->begin(), kernel->end(), [&](int64_t k) { return k > *c.kernel_over; }))
      return false;
  }
  if (c.query_elements_below) {
    const auto query = view.TypeOf("query");
    if (!query || NumElements(query->tensor.dims).value_or(0) >= *c.query_elements_below)
      return false;
  }
  if (c.last_axis_offset && !StartsInsideLastAxis(view)) return false;
  return WeightHolds(c, facts, op);
}

bool ProgramHolds(const Condition& c, const Facts& facts) {
  return (!c.weight_bytes_over || facts.weight_bytes > *c.weight_bytes_over) &&
         (!c.weight_elements_below || facts.weight_elements < *c.weight_elements_below) &&
         (!c.states_over || facts.states > *c.states_over) && (!c.flexible || facts.flexible);
}

void CountConstant(const Constant& constant, std::set<uint64_t>* seen, Facts* facts) {
  const BlobRef* ref = constant.Blob();
  if (ref == nullptr || !seen->insert(ref->offset).second) return;
  const int64_t count = NumElements(constant.type.dims).value_or(0);
  // References are not checked against a file here: hostile sizes must not overflow the sum.
  constexpr int64_t kMost = int64_t{1} << 60;
  facts->weight_bytes =
      std::min(kMost, facts->weight_bytes + PackedBytes(constant.type.dtype, count));
  facts->weight_elements = std::min(kMost, facts->weight_elements + count);
}

void CollectFacts(Facts* facts) {
  std::set<uint64_t> seen;  // a blob that two ops share counts once
  for (const Operation& op : facts->function.Body()->operations) {
    for (const auto& [name, constant] : op.attributes) CountConstant(constant, &seen, facts);
    for (const auto& [param, argument] : op.inputs) {
      for (const Binding& binding : argument) {
        if (const auto* constant = std::get_if<Constant>(&binding))
          CountConstant(*constant, &seen, facts);
      }
    }
  }
  for (const NamedType& input : facts->function.inputs) {
    if (input.type.is_state) ++facts->states;
    if (!IsFullyKnown(input.type.tensor.dims)) facts->flexible = true;
  }
}

void PlaceOps(const Facts& facts, const std::vector<const PlacementRule*>& rules,
              PlacementReport* report) {
  const Block& body = *facts.function.Body();
  for (size_t i = 0; i < body.operations.size(); ++i) {
    const Operation& op = body.operations[i];
    if (IsConstantOp(op.type)) continue;
    PlacedOp placed;
    placed.index = static_cast<int>(i);
    placed.type = op.type;
    placed.name = op.Name();
    placed.reasons = report->program_reasons;
    for (const PlacementRule* rule : rules) {
      if (rule->whole_program || !OpHolds(rule->when, facts, op)) continue;
      (rule->verdict == Verdict::kCpu ? placed.reasons : placed.warnings).push_back(rule->id);
    }
    placed.device = placed.reasons.empty() ? Device::kNeuralEngine : Device::kCpu;
    if (placed.device == Device::kNeuralEngine) {
      ++report->compute_on_engine;
      if (op.type == "conv") ++report->convs_on_engine;
    }
    report->ops.push_back(std::move(placed));
  }
}

}  // namespace

Result<PlacementReport> PredictPlacement(const Function& function, const PlacementOptions& options,
                                         const std::vector<PlacementRule>& rules) {
  HW_TRY(const FunctionScope scope, VerifyFunction(function, nullptr));
  Facts facts{function, scope};
  CollectFacts(&facts);
  if (options.weight_bytes) facts.weight_bytes = *options.weight_bytes;
  std::vector<const PlacementRule*> active;
  for (const PlacementRule& rule : rules) {
    if (rule.platforms.empty() || Has(rule.platforms, options.platform)) active.push_back(&rule);
  }
  PlacementReport report;
  report.histogram = CountOps(*function.Body());
  report.weight_bytes = facts.weight_bytes;
  for (const PlacementRule* rule : active) {
    if (!rule->whole_program || !ProgramHolds(rule->when, facts)) continue;
    (rule->verdict == Verdict::kCpu ? report.program_reasons : report.program_warnings)
        .push_back(rule->id);
  }
  PlaceOps(facts, active, &report);
  return report;
}

}  // namespace headway::mil
