#include "device/coreml/ir/printer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>  // join, from fmt 11 on

#include <algorithm>

namespace headway::mil {
namespace {

class Printer {
 public:
  explicit Printer(const PrintOptions& options) : options_(options) {}

  std::string Function(const std::string& name, const mil::Function& function) {
    text_ += fmt::format("func {}<{}>(", name, function.opset);
    for (size_t i = 0; i < function.inputs.size(); ++i) {
      const NamedType& input = function.inputs[i];
      text_ += fmt::format("{}%{}: {}", i == 0 ? "" : ", ", input.name, ToString(input.type));
    }
    text_ += ") {\n";
    if (const Block* body = function.Body()) {
      for (const mil::Operation& op : body->operations) Operation(op);
      text_ += "  return";
      for (size_t i = 0; i < body->outputs.size(); ++i) {
        text_ += fmt::format("{} %{}", i == 0 ? "" : ",", body->outputs[i]);
      }
    }
    text_ += "\n}\n";
    return std::move(text_);
  }

 private:
  void Operation(const mil::Operation& op) {
    if (op.type == "const" && op.outputs.size() == 1 && !options_.show_const_ops) {
      const auto value = op.attributes.find("val");
      if (value != op.attributes.end()) folded_[op.outputs[0].name] = Value(value->second);
      return;
    }
    text_ += "  ";
    for (size_t i = 0; i < op.outputs.size(); ++i) {
      text_ += fmt::format("{}%{}: {}", i == 0 ? "" : ", ", op.outputs[i].name,
                           ToString(op.outputs[i].type));
    }
    text_ += fmt::format("{}{}(", op.outputs.empty() ? "" : " = ", op.type);
    bool first = true;
    const auto separator = [&] { return std::exchange(first, false) ? "" : ", "; };
    for (const auto& [param, argument] : op.inputs) {
      text_ += fmt::format("{}{}={}", separator(), param, Bound(argument));
    }
    for (const auto& [name, constant] : op.attributes) {
      if (name != "name") text_ += fmt::format("{}{}={}", separator(), name, Value(constant));
    }
    text_ += fmt::format(")  // {}\n", op.Name());
  }

  std::string Bound(const Argument& argument) {
    std::string text;
    for (const Binding& binding : argument) {
      if (!text.empty()) text += ", ";
      if (const auto* constant = std::get_if<Constant>(&binding)) {
        text += Value(*constant);
        continue;
      }
      const std::string& name = std::get<std::string>(binding);
      const auto folded = folded_.find(name);
      text += folded == folded_.end() ? "%" + name : folded->second;
    }
    return argument.size() == 1 ? text : "(" + text + ")";
  }

  std::string Value(const Constant& constant) const {
    const Type type{constant.type, false};
    if (const BlobRef* ref = constant.Blob())
      return fmt::format("{}@{}", ToString(type), ref->offset);
    if (const auto* texts = std::get_if<std::vector<std::string>>(&constant.value)) {
      return fmt::format("\"{}\"", fmt::join(*texts, "\", \""));
    }
    const int64_t count = NumElements(constant.type.dims).value_or(0);
    const auto& bytes = std::get<std::vector<std::byte>>(constant.value);
    if (count > options_.max_constant_elements ||
        static_cast<int64_t>(bytes.size()) < PackedBytes(constant.type.dtype, count)) {
      return fmt::format("{}{{...}}", ToString(type));
    }
    std::vector<double> values(static_cast<size_t>(count));
    ReadDoubles(constant.type.dtype, bytes, values);
    std::string text;
    for (const double value : values) {
      if (!text.empty()) text += ", ";
      if (constant.type.dtype == DType::kBool) {
        text += value != 0 ? "true" : "false";
      } else {
        text += fmt::format("{}", value);
      }
    }
    return constant.type.dims.empty() ? text : "[" + text + "]";
  }

  PrintOptions options_;
  std::string text_;
  std::map<std::string, std::string> folded_;
};

std::string PrintFeatures(const char* what, const std::vector<Feature>& features) {
  std::string text;
  for (const Feature& feature : features) {
    text += fmt::format("  {:<6} {}: {}{}", what, feature.name, NameOf(feature.dtype),
                        ToString(feature.shape));
    if (feature.flexibility == Flexibility::kRange) {
      text += " ranges";
      for (const DimRange& range : feature.ranges)
        text += fmt::format(" {}..{}", range.lower, range.upper);
    }
    for (const Dims& dims : feature.enumerated) text += " or " + ToString(dims);
    text += "\n";
  }
  return text;
}

}  // namespace

std::string PrintFunction(const std::string& name, const Function& function,
                          const PrintOptions& options) {
  return Printer(options).Function(name, function);
}

std::string PrintProgram(const Program& program, const PrintOptions& options) {
  std::string text;
  for (const auto& [name, function] : program.functions)
    text += PrintFunction(name, function, options);
  return text;
}

std::string PrintModel(const Model& model, const PrintOptions& options) {
  std::string text = fmt::format("specification {}\n", model.specification_version);
  for (const FunctionDescription& function : model.functions) {
    text += fmt::format("description of {}\n", function.name);
    text += PrintFeatures("input", function.inputs);
    text += PrintFeatures("state", function.states);
    text += PrintFeatures("output", function.outputs);
  }
  for (const auto& [key, value] : model.metadata.user_defined)
    text += fmt::format("  {} = {}\n", key, value);
  for (const auto& [name, function] : model.program.functions) {
    text += PrintFunction(name, function, options);
    if (const Block* body = function.Body()) text += PrintHistogram(CountOps(*body)) + "\n";
  }
  return text;
}

std::string PrintHistogram(const Histogram& histogram) {
  std::vector<std::pair<std::string, int64_t>> ops(histogram.ops.begin(), histogram.ops.end());
  std::stable_sort(ops.begin(), ops.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text = fmt::format("compute {} conv {} constexpr {}:", histogram.num_compute,
                                 histogram.num_convs, histogram.num_constexprs);
  for (const auto& [type, count] : ops) text += fmt::format(" {} {}", type, count);
  return text;
}

}  // namespace headway::mil
