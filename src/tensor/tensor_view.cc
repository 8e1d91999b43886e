#include "tensor/tensor_view.h"

#include <fmt/format.h>

namespace headway {

std::string ToString(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.Rank(); ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

}  // namespace headway
