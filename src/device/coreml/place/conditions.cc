#include "device/coreml/place/conditions.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace headway::mil {
namespace {

template <class T>
bool Has(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

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
    const auto* const end = std::end(kTensorParams);
    if (std::find(std::begin(kTensorParams), end, param) == end) continue;
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
  bool table = false;
  bool scaled_table = false;
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
  weight.table = weight.lut.has_value();
  if (const auto data = producer->inputs.find("data"); data != producer->inputs.end()) {
    const Operation* const inner = Producer(facts, data->second.front());
    weight.scaled_table = inner != nullptr && inner->type == "constexpr_lut_to_dense";
    if (weight.scaled_table) {
      weight.table = true;
      if (const auto lut = OpView(*inner, facts.scope, nullptr).TypeOf("lut"))
        weight.lut = lut->tensor.dtype;
    }
  }
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
                     c.weight_blocks_along_input || c.weight_scale_per_channel || c.weight_table ||
                     c.weight_scaled_table || c.dma_notch;
  if (!asked) return true;
  const auto weight = WeightOf(facts, op);
  if (!weight) return false;
  if (!c.weight_dtype.empty() && !Has(c.weight_dtype, weight->codes.dtype)) return false;
  if (!c.weight_lut_dtype.empty() && !(weight->lut && Has(c.weight_lut_dtype, *weight->lut)))
    return false;
  const bool blocks = weight->scale.size() > 1 && weight->scale[1] > 1;
  if (c.weight_blocks_along_input && !blocks) return false;
  if (c.weight_scale_per_channel && (weight->scale.empty() || blocks)) return false;
  if (c.weight_table && !weight->table) return false;
  if (c.weight_scaled_table && !weight->scaled_table) return false;
  return !c.dma_notch || InNotch(*weight, *c.dma_notch);
}

bool StartsInsideLastAxis(const OpView& view) {
  const auto begin = view.Ints("begin");
  const auto mask = view.Ints("begin_mask");
  if (!begin || begin->empty() || (mask && !mask->empty() && mask->back() != 0)) return false;
  return begin->back() != 0;
}

// Channels that a product sums over; 0: none, or not known.
int64_t ReductionOf(const OpView& view, const Operation& op) {
  if (op.type == "matmul") {
    const auto x = view.TypeOf("x");
    if (!x || x->tensor.dims.size() < 2) return 0;
    return x->tensor.dims[x->tensor.dims.size() - (view.BoolOr("transpose_x", false) ? 2 : 1)];
  }
  const auto weight = view.TypeOf("weight");
  if (!weight || weight->tensor.dims.empty()) return 0;
  const Dims of_one(weight->tensor.dims.begin() + 1, weight->tensor.dims.end());
  return NumElements(of_one).value_or(0);
}

// Products that a matmul makes at once: the extents before the last two of either factor.
int64_t BatchOf(const OpView& view) {
  int64_t most = 1;
  for (const char* param : {"x", "y"}) {
    const auto type = view.TypeOf(param);
    if (!type || type->tensor.dims.size() < 3) continue;
    const Dims batch(type->tensor.dims.begin(), type->tensor.dims.end() - 2);
    most = std::max(most, NumElements(batch).value_or(1));
  }
  return most;
}

// A number that the op is given in place.
bool HasConstantBeyond(const OpView& view, int64_t bound) {
  constexpr double kNone = 0;
  for (const char* param : {"x", "y", "a", "b", "alpha", "beta"}) {
    const double value = view.NumberOr(param, kNone);
    if (!(std::abs(value) <= static_cast<double>(bound))) return true;
  }
  return false;
}

bool ProductHolds(const Condition& c, const Facts& facts, const OpView& view, const Operation& op) {
  if (c.reduction_over && ReductionOf(view, op) <= *c.reduction_over) return false;
  if (c.batch_over && BatchOf(view) <= *c.batch_over) return false;
  if (c.constant_weight && !WeightOf(facts, op)) return false;
  if (!c.kernel_size) return true;
  const auto weight = view.TypeOf("weight");
  if (!weight || weight->tensor.dims.size() < 3) return false;
  return std::all_of(weight->tensor.dims.begin() + 2, weight->tensor.dims.end(),
                     [&](int64_t extent) { return extent == *c.kernel_size; });
}

// A state one of whose last two axes is no multiple of `step`.
bool HasStateOffGrid(const Facts& facts, int64_t step) {
  return std::any_of(
      facts.function.inputs.begin(), facts.function.inputs.end(), [&](const NamedType& input) {
        const Dims& dims = input.type.tensor.dims;
        const auto last = dims.end() - std::min<std::ptrdiff_t>(2, std::ssize(dims));
        return input.type.is_state &&
               std::any_of(last, dims.end(), [&](int64_t extent) { return extent % step != 0; });
      });
}

// An input or output whose last axis is padded.
bool HasNarrowFeature(const Facts& facts, int64_t step) {
  const auto narrow = [&](const Dims& dims) {
    return !dims.empty() && (dims.back() < step || dims.back() % step != 0);
  };
  const std::vector<std::string>& outputs = facts.function.Body()->outputs;
  return std::any_of(facts.function.inputs.begin(), facts.function.inputs.end(),
                     [&](const NamedType& input) {
                       return !input.type.is_state && narrow(input.type.tensor.dims);
                     }) ||
         std::any_of(outputs.begin(), outputs.end(), [&](const std::string& name) {
           return narrow(facts.scope.TypeOf(name)->tensor.dims);
         });
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

}  // namespace

Facts::Facts(const Function& of_function, const FunctionScope& of_scope)
    : function(of_function), scope(of_scope) {
  std::set<uint64_t> seen;  // a blob that two ops share counts once
  for (const Operation& op : function.Body()->operations) {
    writes_states = writes_states || op.type == "write_state";
    for (const auto& [name, constant] : op.attributes) CountConstant(constant, &seen, this);
    for (const auto& [param, argument] : op.inputs) {
      for (const Binding& binding : argument) {
        if (const auto* constant = std::get_if<Constant>(&binding))
          CountConstant(*constant, &seen, this);
      }
    }
  }
  for (const NamedType& input : function.inputs) {
    if (input.type.is_state) ++states;
    if (!IsFullyKnown(input.type.tensor.dims)) flexible = true;
  }
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
  if (c.constant_beyond && !HasConstantBeyond(view, *c.constant_beyond)) return false;
  if (!ProductHolds(c, facts, view, op)) return false;
  return WeightHolds(c, facts, op);
}

bool ProgramHolds(const Condition& c, const Facts& facts) {
  if (c.state_axes_not_multiple_of && !HasStateOffGrid(facts, *c.state_axes_not_multiple_of))
    return false;
  if (c.last_axis_below && !HasNarrowFeature(facts, *c.last_axis_below)) return false;
  if (c.writes_states && !facts.writes_states) return false;
  if (c.weight_bytes_below && facts.weight_bytes >= *c.weight_bytes_below) return false;
  return (!c.weight_bytes_over || facts.weight_bytes > *c.weight_bytes_over) &&
         (!c.weight_elements_below || facts.weight_elements < *c.weight_elements_below) &&
         (!c.states_over || facts.states > *c.states_over) && (!c.flexible || facts.flexible);
}

}  // namespace headway::mil
