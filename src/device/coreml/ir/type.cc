#include "device/coreml/ir/type.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace headway::mil {
namespace {

// Times 64 bits an element this stays far from 2^63.
constexpr int64_t kMaxElements = int64_t{1} << 56;

}  // namespace

std::optional<int64_t> NumElements(const Dims& dims) {
  int64_t product = 1;
  for (const int64_t dim : dims) {
    if (dim < 0) return std::nullopt;
    if (dim > 0 && product > kMaxElements / dim) return std::nullopt;
    product *= dim;
  }
  return product;
}

int64_t PackedBytes(DType dtype, int64_t num_elements) {
  const int64_t bits = Traits(dtype).bits;
  // Written so that 2^56 elements do not overflow: whole groups of eight elements are `bits` bytes.
  return num_elements / 8 * bits + (num_elements % 8 * bits + 7) / 8;
}

Result<void> CheckDims(const Dims& dims) {
  if (dims.size() > static_cast<size_t>(kMaxRank)) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("expected a rank of at most {}, found {}", kMaxRank, dims.size()));
  }
  Dims known = dims;
  for (int64_t& dim : known) {
    if (dim < kUnknownDim) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("expected extents of at least 0, found {}", dim));
    }
    if (dim == kUnknownDim) dim = 1;
  }
  if (!NumElements(known)) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("expected at most 2^56 elements, found shape {}", ToString(dims)));
  }
  return {};
}

bool Compatible(const Dims& a, const Dims& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](int64_t x, int64_t y) {
    return x == y || x == kUnknownDim || y == kUnknownDim;
  });
}

bool Compatible(const Type& a, const Type& b) {
  return a.is_state == b.is_state && a.tensor.dtype == b.tensor.dtype &&
         Compatible(a.tensor.dims, b.tensor.dims);
}

bool IsFullyKnown(const Dims& dims) {
  return std::none_of(dims.begin(), dims.end(), [](int64_t dim) { return dim == kUnknownDim; });
}

std::string ToString(const Dims& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i > 0) text += ", ";
    text += dims[i] == kUnknownDim ? std::string("?") : std::to_string(dims[i]);
  }
  return text + "]";
}

std::string ToString(const Type& type) {
  std::string text(NameOf(type.tensor.dtype));
  if (!type.tensor.dims.empty()) text += ToString(type.tensor.dims);
  return type.is_state ? "state<" + text + ">" : text;
}

Result<Dims> Broadcast(const Dims& a, const Dims& b) {
  const size_t rank = std::max(a.size(), b.size());
  Dims result(rank);
  for (size_t i = 0; i < rank; ++i) {  // from the innermost axis
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    int64_t& out = result[rank - 1 - i];
    if (x == 1) {
      out = y;
    } else if (y == 1 || x == y) {
      out = x;
    } else if (x == kUnknownDim || y == kUnknownDim) {
      out = std::max(x, y);  // the known one: the other must equal it at run time
    } else {
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format("expected shapes that broadcast, found {} and {}", ToString(a), ToString(b)));
    }
  }
  return result;
}

}  // namespace headway::mil
