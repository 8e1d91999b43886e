#include <fmt/format.h>

#include "base/check.h"
#include "device/coreml/ir/op_table.h"

namespace headway::mil {
namespace {

// Parameters are short lists; anything longer is weights, which no rule reads.
constexpr int64_t kMaxParameterElements = 1024;

}  // namespace

const Binding* OpView::Find(std::string_view param, size_t index) const {
  const auto found = op_.inputs.find(std::string(param));
  if (found == op_.inputs.end() || index >= found->second.size()) return nullptr;
  return &found->second[index];
}

size_t OpView::Count(std::string_view param) const {
  const auto found = op_.inputs.find(std::string(param));
  if (found != op_.inputs.end()) return found->second.size();
  return op_.attributes.count(std::string(param));
}

const Constant* OpView::ConstantOf(std::string_view param, size_t index) const {
  if (const Binding* binding = Find(param, index)) {
    if (const auto* constant = std::get_if<Constant>(binding)) return constant;
    return scope_.ConstantOf(std::get<std::string>(*binding));
  }
  const auto attribute = op_.attributes.find(std::string(param));
  return attribute == op_.attributes.end() || index > 0 ? nullptr : &attribute->second;
}

std::optional<Type> OpView::TypeOf(std::string_view param, size_t index) const {
  if (const Binding* binding = Find(param, index)) {
    if (const auto* constant = std::get_if<Constant>(binding)) return Type{constant->type, false};
    const Type* type = scope_.TypeOf(std::get<std::string>(*binding));
    return type == nullptr ? std::nullopt : std::optional<Type>(*type);
  }
  const auto attribute = op_.attributes.find(std::string(param));
  if (attribute == op_.attributes.end() || index > 0) return std::nullopt;
  return Type{attribute->second.type, false};
}

TensorType OpView::Tensor(std::string_view param, size_t index) const {
  const std::optional<Type> type = TypeOf(param, index);
  HW_CHECK(type.has_value(), "parameter was verified");
  return type->tensor;
}

std::optional<std::vector<int64_t>> OpView::Ints(std::string_view param) const {
  const Constant* constant = ConstantOf(param);
  if (constant == nullptr || constant->type.dtype == DType::kString) return std::nullopt;
  const std::optional<int64_t> count = NumElements(constant->type.dims);
  if (!count || *count > kMaxParameterElements) return std::nullopt;
  const auto bytes = BytesOf(*constant, blobs_);
  if (!bytes) return std::nullopt;
  std::vector<int64_t> values(static_cast<size_t>(*count));
  ReadInts(constant->type.dtype, *bytes, values);
  return values;
}

int64_t OpView::IntOr(std::string_view param, int64_t fallback) const {
  const auto values = Ints(param);
  return values && !values->empty() ? values->front() : fallback;
}

bool OpView::BoolOr(std::string_view param, bool fallback) const {
  return IntOr(param, fallback ? 1 : 0) != 0;
}

double OpView::NumberOr(std::string_view param, double fallback) const {
  const Constant* constant = ConstantOf(param);
  if (constant == nullptr || constant->type.dtype == DType::kString) return fallback;
  if (NumElements(constant->type.dims) != 1) return fallback;
  const auto bytes = BytesOf(*constant, blobs_);
  if (!bytes) return fallback;
  double value = fallback;
  ReadDoubles(constant->type.dtype, *bytes, {&value, 1});
  return value;
}

std::string_view OpView::StringOr(std::string_view param, std::string_view fallback) const {
  const Constant* constant = ConstantOf(param);
  if (constant == nullptr) return fallback;
  const auto* texts = std::get_if<std::vector<std::string>>(&constant->value);
  return texts == nullptr || texts->empty() ? fallback : std::string_view(texts->front());
}

Result<size_t> ResolveAxis(int64_t axis, size_t rank) {
  const auto signed_rank = static_cast<int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("expected an axis in [{}, {}), found {}", -signed_rank, rank, axis));
  }
  return static_cast<size_t>(axis < 0 ? axis + signed_rank : axis);
}

}  // namespace headway::mil
