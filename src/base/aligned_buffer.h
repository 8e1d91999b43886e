#pragma once

// Owning, zero-filled memory for step buffers and KV caches: 64-byte aligned (one cache line, one
// 512-bit vector). From 2 MiB on it comes straight from the kernel, with huge pages asked for:
// resident only where touched, so that a cache may be sized for the longest sequence.

#include <cstddef>
#include <span>
#include <utility>

namespace headway {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  // Throws std::bad_alloc when memory is exhausted.
  explicit AlignedBuffer(size_t size_bytes);
  AlignedBuffer(AlignedBuffer&& other) noexcept { *this = std::move(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
    std::swap(mapping_, other.mapping_);
    std::swap(mapped_bytes_, other.mapped_bytes_);
    return *this;
  }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t SizeBytes() const { return size_bytes_; }

  // The first `count` elements as T; T must be trivial. Valid while this object lives.
  template <class T>
  std::span<T> As(size_t count) {
    return {reinterpret_cast<T*>(data_), count};
  }
  template <class T>
  T* Pointer() {
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  const T* Pointer() const {
    return reinterpret_cast<const T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
  void* mapping_ = nullptr;  // what data_ lies in, from 2 MiB on
  size_t mapped_bytes_ = 0;
};

}  // namespace headway
