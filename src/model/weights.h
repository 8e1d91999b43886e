#pragma once

// Looks weights up in a GGUF for the model builders: the tensor must exist, with a weight type and
// the shape the configuration demands. Inside this folder only. The first error is kept, so that a
// builder reads like a forward pass.

#include <optional>
#include <string>

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "graph/builder.h"

namespace headway::model {

class Weights {
 public:
  Weights(const gguf::GgufFile& file, graph::Builder* builder) : file_(file), builder_(builder) {}

  // The matrix `name` with shape [rows, columns], declared once however often it is asked for.
  graph::WeightId Matrix(const std::string& name, int64_t rows, int64_t columns);
  // The F32 vector `name` of n elements.
  graph::WeightId Vector(const std::string& name, int64_t n);
  bool Has(const std::string& name) const { return file_.FindTensor(name) != nullptr; }

  const std::optional<Error>& FirstError() const { return error_; }

 private:
  graph::WeightId Declare(const std::string& name, const Shape& expected, bool vector);
  void Keep(Error error);

  const gguf::GgufFile& file_;
  graph::Builder* builder_;
  std::optional<Error> error_;
};

}  // namespace headway::model
