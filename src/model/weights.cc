#include "model/weights.h"

#include <fmt/format.h>

#include <utility>

namespace headway::model {

void Weights::Keep(Error error) {
  if (!error_) error_ = std::move(error);
}

graph::WeightId Weights::Declare(const std::string& name, const Shape& expected, bool vector) {
  DataType type = DataType::kF32;
  const auto tensor = file_.GetTensor(name);
  if (!tensor) {
    Keep(tensor.error());
  } else if (!(tensor->shape == expected)) {
    Keep({.code = ErrorCode::kInvalidInput,
          .message = fmt::format("gguf: {}: tensor '{}': expected shape {}, found {}", file_.Path(),
                                 name, ToString(expected), ToString(tensor->shape))});
  } else if (!IsWeightType(tensor->type) || (vector && tensor->type != DataType::kF32)) {
    Keep({.code = ErrorCode::kUnsupported,
          .message = fmt::format("gguf: {}: tensor '{}': expected {}, found {}", file_.Path(), name,
                                 vector ? "F32" : "a weight type", Traits(tensor->type).name)});
  } else {
    type = tensor->type;
  }
  // After an error the declared weight only keeps the builder going: BuildGraph returns the error.
  return builder_->AddWeight({.name = name, .type = type, .shape = expected, .row_begin = 0});
}

graph::WeightId Weights::Matrix(const std::string& name, int64_t rows, int64_t columns) {
  return Declare(name, Shape{rows, columns}, false);
}

graph::WeightId Weights::Vector(const std::string& name, int64_t n) {
  return Declare(name, Shape{n}, true);
}

}  // namespace headway::model
