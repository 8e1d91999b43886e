#include "device/coreml/run/constants.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "device/coreml/run/constexpr_decoders.h"

namespace headway::mil {

WeightRows::WeightRows(Dims dims, ElementDecoder decoder, bool keep)
    : dims_(std::move(dims)), columns_(1), decoder_(std::move(decoder)) {
  for (size_t i = 1; i < dims_.size(); ++i) columns_ *= dims_[i];
  if (!keep) return;
  kept_.resize(static_cast<size_t>(columns_ * dims_[0]));
  decoder_(0, kept_);
}

ConstantStore::ConstantStore(const Function& function, const FunctionScope& scope,
                             const BlobSource* blobs, int64_t keep_bytes)
    : function_(function), scope_(scope), blobs_(blobs), keep_bytes_(keep_bytes) {}

TensorType ConstantStore::TypeOf(const Binding& binding) const {
  if (const auto* constant = std::get_if<Constant>(&binding)) return constant->type;
  const Type* type = scope_.TypeOf(std::get<std::string>(binding));
  HW_CHECK(type != nullptr, "the function was verified");
  return type->tensor;
}

bool ConstantStore::IsConstant(const Binding& binding) const {
  const auto* name = std::get_if<std::string>(&binding);
  if (name == nullptr) return true;
  const FunctionScope::Entry* entry = scope_.Find(*name);
  return entry != nullptr && entry->is_constant;
}

Result<ElementDecoder> ConstantStore::OfConstant(const Constant& constant) const {
  HW_TRY(const auto bytes, BytesOf(constant, blobs_));
  return DecodePlain(constant.type.dtype, bytes);
}

Result<ElementDecoder> ConstantStore::Decoder(const Binding& binding) const {
  if (const auto* constant = std::get_if<Constant>(&binding)) return OfConstant(*constant);
  const FunctionScope::Entry* entry = scope_.Find(std::get<std::string>(binding));
  HW_CHECK(entry != nullptr && entry->is_constant && entry->op_index >= 0,
           "a constant of a verified function");
  return OfOperation(function_.Body()->operations[static_cast<size_t>(entry->op_index)]);
}

Result<ElementDecoder> ConstantStore::OfOperation(const Operation& op) const {
  if (op.type == "const") return OfConstant(op.attributes.at("val"));
  ConstexprParts parts;
  for (const auto& [param, argument] : op.inputs) {
    HW_TRY(ElementDecoder decoder, Decoder(argument.front()));
    parts.emplace(param, ConstexprPart{TypeOf(argument.front()), std::move(decoder)});
  }
  for (const auto& [name, constant] : op.attributes) {
    if (constant.type.dtype == DType::kString) continue;
    HW_TRY(ElementDecoder decoder, OfConstant(constant));
    parts.emplace(name, ConstexprPart{constant.type, std::move(decoder)});
  }
  return DecodeConstexpr(op.type, TypeOf(op.outputs.front().name), std::move(parts));
}

Result<Tensor> ConstantStore::Dense(const Binding& binding) const {
  const TensorType type = TypeOf(binding);
  Tensor tensor = ZeroTensor(type.dtype, type.dims);
  if (tensor.IsFloat()) {
    HW_TRY(const ElementDecoder decoder, Decoder(binding));
    decoder(0, tensor.Floats());
    return tensor;
  }
  const auto* constant = std::get_if<Constant>(&binding);
  if (constant == nullptr) constant = scope_.Find(std::get<std::string>(binding))->constant;
  if (constant == nullptr) return Fail(ErrorCode::kUnsupported, "integers from a constexpr op");
  HW_TRY(const auto bytes, BytesOf(*constant, blobs_));  // not through floats: exact above 2^24
  std::vector<int64_t> values(tensor.Ints().size());
  ReadInts(type.dtype, bytes, values);
  std::transform(values.begin(), values.end(), tensor.ints.get(),
                 [](int64_t v) { return static_cast<int32_t>(v); });
  return tensor;
}

Result<std::shared_ptr<const WeightRows>> ConstantStore::Rows(const Binding& binding) {
  const auto* name = std::get_if<std::string>(&binding);
  if (name != nullptr) {
    if (const auto found = rows_.find(*name); found != rows_.end()) return found->second;
  }
  const TensorType type = TypeOf(binding);
  HW_TRY(ElementDecoder decoder, Decoder(binding));
  const int64_t bytes = NumElements(type.dims).value_or(0) * static_cast<int64_t>(sizeof(float));
  const bool keep = bytes <= keep_bytes_;
  if (keep) keep_bytes_ -= bytes;
  auto rows = std::make_shared<const WeightRows>(type.dims, std::move(decoder), keep);
  if (name != nullptr) rows_[*name] = rows;
  return rows;
}

}  // namespace headway::mil
