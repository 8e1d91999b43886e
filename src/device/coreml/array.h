#pragma once

// Numbers that a program reads and writes, where they lie: in memory of ours or in its runner's.
// Inside this folder only.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "device/coreml/ir/type.h"
#include "tensor/half.h"

namespace headway::coreml {

// A value of a program: fp16 or int32. What a device gives may be padded: strides, in elements, say
// how far it is from one number to the next along each axis.
class Array {
 public:
  using Look = std::function<void(const std::byte* first, std::span<const int64_t> strides)>;

  virtual ~Array() = default;
  const mil::TensorType& Type() const { return type_; }
  // Calls `look` with the numbers where they lie; both valid during the call alone.
  virtual void Read(const Look& look) const = 0;

 protected:
  explicit Array(mil::TensorType type) : type_(std::move(type)) {}

 private:
  const mil::TensorType type_;
};

// Zeros in memory of ours, row-major, 64-byte aligned.
class HostArray : public Array {
 public:
  explicit HostArray(const mil::TensorType& type) : HostArray(type, NewBuffer(type)) {}
  F16* Halves() { return buffer_->Pointer<F16>(); }
  int32_t* Ints() { return buffer_->Pointer<int32_t>(); }
  void Read(const Look& look) const override { look(buffer_->data(), strides_); }

  // Memory for such an array, for whoever must keep it longer than the array.
  static std::shared_ptr<AlignedBuffer> NewBuffer(const mil::TensorType& type);

 protected:
  HostArray(mil::TensorType type, std::shared_ptr<AlignedBuffer> buffer);

 private:
  const std::shared_ptr<AlignedBuffer> buffer_;
  const std::vector<int64_t> strides_;
};

using Arrays = std::map<std::string, std::shared_ptr<Array>>;

// The fp16 numbers of token `t`, which is an index of `token_axis`, along axis 1; the other axes
// are at 0.
void CopyToken(const Array& from, size_t token_axis, int64_t t, std::span<float> to);
// The int32 of token `t` along the last axis.
int32_t ReadInt(const Array& from, int64_t t);

}  // namespace headway::coreml
