#pragma once

// Shapes and the one tensor view of the project: erased at rest, typed where it is used. A view
// never owns.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "tensor/data_type.h"

namespace headway {

// Up to four extents, outermost first: a [rows, columns] matrix is {rows, columns}.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> extents) {
    for (const int64_t extent : extents) Append(extent);
  }

  void Append(int64_t extent) {
    HW_CHECK(rank_ < kMaxRank && extent >= 0, "rank at most 4, extents not negative");
    extents_[static_cast<size_t>(rank_++)] = extent;
  }
  int Rank() const { return rank_; }
  int64_t operator[](int axis) const {
    HW_DCHECK(axis >= 0 && axis < rank_, "axis in range");
    return extents_[static_cast<size_t>(axis)];
  }
  int64_t Elements() const {
    int64_t product = 1;
    for (int i = 0; i < rank_; ++i) product *= extents_[static_cast<size_t>(i)];
    return product;
  }
  // All but the last extent multiplied; 1 for a vector.
  int64_t Rows() const { return rank_ == 0 ? 1 : RowsBefore(); }
  int64_t Columns() const { return rank_ == 0 ? 1 : extents_[static_cast<size_t>(rank_ - 1)]; }
  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  int64_t RowsBefore() const {
    int64_t product = 1;
    for (int i = 0; i + 1 < rank_; ++i) product *= extents_[static_cast<size_t>(i)];
    return product;
  }

  std::array<int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

// "[16384, 3072]"
std::string ToString(const Shape& shape);

// A tensor somewhere else: rows of `shape.Columns()` elements, `row_stride_bytes` apart, in the
// plain row-major layout of GGUF. `name` and `data` must outlive the view.
struct ConstTensorView {
  DataType type = DataType::kF32;
  Shape shape;
  int64_t row_stride_bytes = 0;
  const std::byte* data = nullptr;
  std::string_view name;

  const std::byte* Row(int64_t row) const { return data + row * row_stride_bytes; }
  int64_t SizeBytes() const { return shape.Rows() * row_stride_bytes; }

  // All elements as T; checks the tag and that rows are contiguous.
  template <class T>
  std::span<const T> As(DataType expected) const {
    HW_CHECK(type == expected && row_stride_bytes == RowBytes(type, shape.Columns()),
             "typed access to a tensor of that type");
    return {reinterpret_cast<const T*>(data), static_cast<size_t>(shape.Elements())};
  }
};

}  // namespace headway
