#include "device/coreml/ir/verify.h"

#include <fmt/format.h>

#include <algorithm>

namespace headway::mil {
namespace {

std::string NamesOf(DTypeSet set) {
  std::string text;
  for (int i = 0; i < kNumDTypes; ++i) {
    if (!Contains(set, static_cast<DType>(i))) continue;
    if (!text.empty()) text += ", ";
    text += NameOf(static_cast<DType>(i));
  }
  return text;
}

// The immediate has as many bytes or strings as its type says; a blob can be read.
Result<void> CheckConstant(const Constant& constant, const BlobSource* blobs) {
  HW_TRY_VOID(CheckDims(constant.type.dims));
  const std::optional<int64_t> count = NumElements(constant.type.dims);
  if (!count)
    return Invalid("expected a constant with known extents, found " + ToString(constant.type.dims));
  if (constant.Blob() != nullptr) {
    if (constant.type.dtype == DType::kString)
      return Invalid("expected strings in place, found a blob");
    if (blobs == nullptr) return {};
    const auto bytes = BytesOf(constant, blobs);
    if (!bytes) return tl::unexpected<Error>(bytes.error());
    return {};
  }
  const auto* texts = std::get_if<std::vector<std::string>>(&constant.value);
  if ((texts != nullptr) != (constant.type.dtype == DType::kString)) {
    return Invalid(fmt::format("expected a value of type {}, found {}", NameOf(constant.type.dtype),
                               texts != nullptr ? "strings" : "numbers"));
  }
  const int64_t found =
      texts != nullptr
          ? static_cast<int64_t>(texts->size())
          : static_cast<int64_t>(std::get<std::vector<std::byte>>(constant.value).size());
  const int64_t expected = texts != nullptr ? *count : PackedBytes(constant.type.dtype, *count);
  if (found != expected) {
    return Invalid(fmt::format("value of type {}: expected {} {}, found {}",
                               ToString(Type{constant.type, false}), expected,
                               texts != nullptr ? "strings" : "bytes", found));
  }
  return {};
}

// Verifies the operations of one function in order.
class FunctionVerifier {
 public:
  FunctionVerifier(const Function& function, const BlobSource* blobs)
      : function_(function), blobs_(blobs) {}

  Result<FunctionScope> Run(const std::map<std::string, Type>& input_types);

 private:
  Result<void> DefineInputs(const std::map<std::string, Type>& input_types);
  Result<void> CheckOperation(const Operation& op, int index);
  Result<void> CheckParams(const Operation& op, const OpSpec& spec);
  Result<void> CheckBinding(const Binding& binding, const ParamSpec& param);
  Result<void> CheckName(const std::string& name, const ParamSpec& param);
  Result<void> DefineOutputs(const Operation& op, const OpSpec& spec, int index);
  bool IsDefinedLater(const std::string& name) const;

  const Function& function_;
  const BlobSource* blobs_;
  const Block* body_ = nullptr;
  FunctionScope scope_;
};

Result<FunctionScope> FunctionVerifier::Run(const std::map<std::string, Type>& input_types) {
  if (SpecificationOfOpset(function_.opset) == 0) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("opset '{}': expected CoreML5 to CoreML9", function_.opset));
  }
  body_ = function_.Body();
  if (body_ == nullptr)
    return Invalid(fmt::format("expected a block for opset '{}', found none", function_.opset));
  if (!body_->inputs.empty()) return Invalid("expected no inputs on the block of a function");
  HW_TRY_VOID(DefineInputs(input_types));
  for (size_t i = 0; i < body_->operations.size(); ++i) {
    const Operation& op = body_->operations[i];
    if (Result<void> checked = CheckOperation(op, static_cast<int>(i)); !checked) {
      return Prefixed(std::move(checked).error(),
                      fmt::format("op {} '{}' (name '{}')", i, op.type, op.Name()));
    }
  }
  for (const std::string& output : body_->outputs) {
    if (scope_.Find(output) == nullptr)
      return Invalid(fmt::format("output '{}' is not defined", output));
  }
  return std::move(scope_);
}

Result<void> FunctionVerifier::DefineInputs(const std::map<std::string, Type>& input_types) {
  for (const NamedType& input : function_.inputs) {
    Type type = input.type;
    if (const auto found = input_types.find(input.name); found != input_types.end()) {
      if (!Compatible(found->second, type)) {
        return Invalid(fmt::format("input '{}': expected {}, found {}", input.name, ToString(type),
                                   ToString(found->second)));
      }
      type = found->second;
    }
    if (!IsIdentifier(input.name))
      return Invalid(fmt::format("input name '{}' is not an identifier", input.name));
    HW_TRY_VOID(CheckDims(type.tensor.dims));
    if (!scope_.Define(input.name, {.type = type})) {
      return Invalid(fmt::format("input '{}' is defined twice", input.name));
    }
  }
  return {};
}

Result<void> FunctionVerifier::CheckOperation(const Operation& op, int index) {
  const OpSpec* spec = FindOpSpec(op);
  if (spec == nullptr) {
    return Fail(ErrorCode::kUnsupported, "expected an op of the table, found an unknown one");
  }
  if (!op.blocks.empty()) return Invalid("expected an op without blocks of its own");
  if (spec->min_specification > SpecificationOfOpset(function_.opset)) {
    return Invalid(fmt::format("expected opset {} or later, found {}",
                               OpsetOfSpecification(spec->min_specification), function_.opset));
  }
  if (!IsIdentifier(op.Name())) return Invalid("expected attribute 'name' with an identifier");
  HW_TRY_VOID(CheckParams(op, *spec));
  return DefineOutputs(op, *spec, index);
}

Result<void> FunctionVerifier::CheckParams(const Operation& op, const OpSpec& spec) {
  const auto known = [&](const std::string& name) {
    return std::any_of(spec.params.begin(), spec.params.end(),
                       [&](const ParamSpec& param) { return param.name == name; });
  };
  const bool in_attributes = spec.form == ParamForm::kAttributes;
  for (const auto& [name, argument] : op.inputs) {
    if (in_attributes || !known(name))
      return Invalid(fmt::format("parameter '{}' is unknown", name));
  }
  for (const auto& [name, constant] : op.attributes) {
    if (name != "name" && !(in_attributes && known(name))) {
      return Invalid(fmt::format("attribute '{}' is unknown", name));
    }
  }
  for (const ParamSpec& param : spec.params) {
    const std::string context = fmt::format("parameter '{}'", param.name);
    Argument argument;
    if (in_attributes) {
      const auto found = op.attributes.find(std::string(param.name));
      if (found != op.attributes.end()) argument = {found->second};
    } else if (const auto found = op.inputs.find(std::string(param.name));
               found != op.inputs.end()) {
      argument = found->second;
      if (argument.empty()) return Invalid(context + ": expected a binding, found none");
    }
    if (argument.empty() && param.presence == Presence::kRequired)
      return Invalid(context + " is missing");
    if (argument.size() > 1 && param.binder != Binder::kVariadic) {
      return Invalid(fmt::format("{}: expected one binding, found {}", context, argument.size()));
    }
    for (const Binding& binding : argument) {
      if (Result<void> checked = CheckBinding(binding, param); !checked) {
        return Prefixed(std::move(checked).error(), context);
      }
    }
  }
  return {};
}

Result<void> FunctionVerifier::CheckBinding(const Binding& binding, const ParamSpec& param) {
  const auto* constant = std::get_if<Constant>(&binding);
  if (constant == nullptr) return CheckName(std::get<std::string>(binding), param);
  if (param.binder == Binder::kState)
    return Invalid("expected the name of a state, found a constant");
  HW_TRY_VOID(CheckConstant(*constant, blobs_));
  if (!Contains(param.types, constant->type.dtype)) {
    return Invalid(fmt::format("expected an element type of {}, found {}", NamesOf(param.types),
                               NameOf(constant->type.dtype)));
  }
  return {};
}

bool FunctionVerifier::IsDefinedLater(const std::string& name) const {
  return std::any_of(body_->operations.begin(), body_->operations.end(), [&](const Operation& op) {
    return std::any_of(op.outputs.begin(), op.outputs.end(),
                       [&](const NamedType& output) { return output.name == name; });
  });
}

Result<void> FunctionVerifier::CheckName(const std::string& name, const ParamSpec& param) {
  const FunctionScope::Entry* entry = scope_.Find(name);
  if (entry == nullptr) {
    return Invalid(
        IsDefinedLater(name)
            ? fmt::format("value '{}' is used before its definition (operations must be in "
                          "topological order, without cycles)",
                          name)
            : fmt::format("value '{}' is not defined", name));
  }
  if (entry->type.is_state != (param.binder == Binder::kState)) {
    return Invalid(fmt::format("expected {}, found '{}' of type {}",
                               param.binder == Binder::kState ? "a state" : "a tensor", name,
                               ToString(entry->type)));
  }
  if (param.binder == Binder::kConstant && !entry->is_constant) {
    return Invalid(fmt::format("expected a constant, found the computed value '{}'", name));
  }
  if (!Contains(param.types, entry->type.tensor.dtype)) {
    return Invalid(fmt::format("expected an element type of {}, found '{}' of type {}",
                               NamesOf(param.types), name, ToString(entry->type)));
  }
  return {};
}

Result<void> FunctionVerifier::DefineOutputs(const Operation& op, const OpSpec& spec, int index) {
  if (op.type == "const") HW_TRY_VOID(CheckConstant(op.attributes.at("val"), blobs_));
  if (spec.form == ParamForm::kAttributes && op.type != "const") {
    for (const auto& [name, constant] : op.attributes) HW_TRY_VOID(CheckConstant(constant, blobs_));
  }
  HW_TRY(const std::vector<Type> inferred, spec.infer(OpView(op, scope_, blobs_)));
  if (inferred.size() != op.outputs.size()) {
    return Invalid(
        fmt::format("expected {} outputs, found {}", inferred.size(), op.outputs.size()));
  }
  for (size_t i = 0; i < inferred.size(); ++i) {
    const NamedType& declared = op.outputs[i];
    HW_TRY_VOID(CheckDims(declared.type.tensor.dims));
    if (!Compatible(declared.type, inferred[i])) {
      return Invalid(fmt::format("output '{}': expected type {}, found {}", declared.name,
                                 ToString(inferred[i]), ToString(declared.type)));
    }
    if (!IsIdentifier(declared.name)) {
      return Invalid(fmt::format("output name '{}' is not an identifier", declared.name));
    }
    FunctionScope::Entry entry{.type = inferred[i], .op_index = index};
    Dims& dims = entry.type.tensor.dims;
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      if (dims[axis] == kUnknownDim) dims[axis] = declared.type.tensor.dims[axis];
    }
    entry.is_constant = IsConstantOp(op.type);
    if (op.type == "const") entry.constant = &op.attributes.at("val");
    if (!scope_.Define(declared.name, std::move(entry))) {
      return Invalid(fmt::format("output '{}' is defined twice", declared.name));
    }
  }
  return {};
}

}  // namespace

const FunctionScope::Entry* FunctionScope::Find(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

const Type* FunctionScope::TypeOf(const std::string& name) const {
  const Entry* entry = Find(name);
  return entry == nullptr ? nullptr : &entry->type;
}

const Constant* FunctionScope::ConstantOf(const std::string& name) const {
  const Entry* entry = Find(name);
  return entry == nullptr ? nullptr : entry->constant;
}

bool FunctionScope::Define(const std::string& name, Entry entry) {
  return entries_.emplace(name, std::move(entry)).second;
}

bool IsIdentifier(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  const auto rest = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '@'; };
  return !name.empty() && letter(name.front()) && std::all_of(name.begin(), name.end(), rest);
}

Result<FunctionScope> VerifyFunction(const Function& function, const BlobSource* blobs,
                                     const std::map<std::string, Type>& input_types) {
  return FunctionVerifier(function, blobs).Run(input_types);
}

Result<void> VerifyProgram(const Program& program, const BlobSource* blobs) {
  if (program.version != 1) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("program: expected version 1, found {}", program.version));
  }
  if (program.functions.empty())
    return Invalid("program: expected at least one function, found none");
  for (const auto& [name, function] : program.functions) {
    if (!IsIdentifier(name))
      return Invalid(fmt::format("function name '{}' is not an identifier", name));
    if (auto scope = VerifyFunction(function, blobs); !scope) {
      return Prefixed(std::move(scope).error(), fmt::format("function '{}'", name));
    }
  }
  return {};
}

}  // namespace headway::mil
