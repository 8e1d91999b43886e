#include "device/coreml/ir/builder.h"

#include <fmt/format.h>

#include "base/check.h"

namespace headway::mil {

FunctionBuilder::FunctionBuilder(std::string opset) {
  function_.opset = std::move(opset);
  body_ = &function_.specializations[function_.opset];
}

std::string FunctionBuilder::Unique(std::string_view wanted) {
  std::string name(wanted);
  for (;;) {
    int& count = used_names_[name];
    if (count++ == 0) return name;
    name = fmt::format("{}_{}", wanted, count - 1);
  }
}

std::string FunctionBuilder::Declare(const std::string& name, Type type) {
  std::string unique = Unique(name);
  function_.inputs.push_back({unique, type});
  scope_.Define(unique, {.type = std::move(type)});
  return unique;
}

std::string FunctionBuilder::Input(const std::string& name, DType dtype, Dims dims) {
  return Declare(name, {TensorType{dtype, std::move(dims)}, false});
}

std::string FunctionBuilder::State(const std::string& name, DType dtype, Dims dims) {
  return Declare(name, {TensorType{dtype, std::move(dims)}, true});
}

std::string FunctionBuilder::Const(std::string_view name, Constant value) {
  Operation op;
  op.type = "const";
  op.attributes["val"] = std::move(value);
  return Append(std::move(op), name).front();
}

std::string FunctionBuilder::Op(std::string_view type, std::string_view name, Params params) {
  const std::vector<std::string> outputs = OpMulti(type, name, std::move(params));
  return outputs.empty() ? std::string() : outputs.front();
}

std::vector<std::string> FunctionBuilder::OpMulti(std::string_view type, std::string_view name,
                                                  Params params) {
  Operation op;
  op.type = type;
  for (std::pair<std::string, Argument>& param : params) {
    int number = 0;
    for (Binding& binding : param.second) {
      if (auto* constant = std::get_if<Constant>(&binding)) {
        binding = Const(fmt::format("{}_{}_{}", name, param.first, number), std::move(*constant));
      }
      ++number;
    }
    op.inputs[param.first] = std::move(param.second);
  }
  return Append(std::move(op), name);
}

std::string FunctionBuilder::Constexpr(std::string_view type, std::string_view name,
                                       Params params) {
  Operation op;
  op.type = type;
  for (std::pair<std::string, Argument>& param : params) {
    op.inputs[param.first] = std::move(param.second);
  }
  return Append(std::move(op), name).front();
}

std::vector<std::string> FunctionBuilder::Append(Operation op, std::string_view name) {
  const std::string unique = Unique(name);
  op.attributes["name"] = StringConstant(unique);
  std::vector<Type> types(1);  // a stand-in after an error, so that building can go on to Finish()
  if (status_) {
    const OpSpec* spec = FindOpSpec(op);
    HW_CHECK(spec != nullptr, "only ops of the table are built");
    auto inferred = spec->infer(OpView(op, scope_, nullptr));
    if (inferred) {
      types = *std::move(inferred);
    } else {
      status_ = Prefixed(std::move(inferred).error(),
                         fmt::format("op '{}' (name '{}')", op.type, unique));
    }
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < types.size(); ++i) {
    names.push_back(i == 0 ? unique : Unique(fmt::format("{}_{}", unique, i)));
    op.outputs.push_back({names.back(), types[i]});
  }
  const bool is_const = op.type == "const";
  const bool is_constant = IsConstantOp(op.type);
  body_->operations.push_back(std::move(op));
  for (size_t i = 0; i < types.size(); ++i) {
    FunctionScope::Entry entry{.type = types[i], .is_constant = is_constant};
    // The scope outlives moves of the vector of operations: a copy of the small value, not a
    // pointer into it.
    if (is_const) {
      constants_.push_back(
          std::make_unique<Constant>(body_->operations.back().attributes.at("val")));
      entry.constant = constants_.back().get();
    }
    scope_.Define(names[i], std::move(entry));
  }
  return names;
}

void FunctionBuilder::Output(const std::string& name) { body_->outputs.push_back(name); }

const TensorType& FunctionBuilder::TypeOf(const std::string& name) const {
  const Type* type = scope_.TypeOf(name);
  HW_CHECK(type != nullptr, "a value that was built");
  return type->tensor;
}

Result<Function> FunctionBuilder::Finish() {
  if (!status_) return tl::unexpected<Error>(status_.error());
  if (auto verified = VerifyFunction(function_, nullptr); !verified) {
    return Prefixed(std::move(verified).error(), "builder");
  }
  return std::move(function_);
}

FunctionDescription Describe(const std::string& name, const Function& function,
                             const FunctionScope& scope, DimRange flexible) {
  const auto feature_of = [&](const std::string& value, const TensorType& type, bool is_output) {
    Feature feature;
    feature.name = value;
    feature.dtype = type.dtype;
    feature.shape = type.dims.empty() ? Dims{1} : type.dims;
    if (IsFullyKnown(type.dims)) return feature;
    if (is_output) {
      feature.shape.clear();
      return feature;
    }
    feature.flexibility = Flexibility::kRange;
    for (int64_t& dim : feature.shape) {
      if (dim == kUnknownDim) {
        dim = static_cast<int64_t>(flexible.lower);
        feature.ranges.push_back(flexible);
      } else {
        feature.ranges.push_back({static_cast<uint64_t>(dim), dim});
      }
    }
    return feature;
  };
  FunctionDescription description;
  description.name = name;
  for (const NamedType& input : function.inputs) {
    auto& list = input.type.is_state ? description.states : description.inputs;
    list.push_back(feature_of(input.name, input.type.tensor, false));
  }
  for (const std::string& output : function.Body()->outputs) {
    description.outputs.push_back(feature_of(output, scope.TypeOf(output)->tensor, true));
  }
  return description;
}

Result<Model> MakeModel(Function function, DimRange flexible) {
  Model model;
  model.specification_version = SpecificationOfOpset(function.opset);
  HW_TRY(const FunctionScope scope, VerifyFunction(function, nullptr));
  model.functions = {Describe("main", function, scope, flexible)};
  model.program.functions["main"] = std::move(function);
  HW_TRY_VOID(VerifyModel(model, nullptr));
  return model;
}

}  // namespace headway::mil
