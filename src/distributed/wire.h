#pragma once

// Messages as bytes: numbers and lists of numbers as they lie in memory, since all ranks run the same
// program on processors of one kind. A reader that runs out of bytes gives zeros, and says so.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace headway::distributed {

class Writer {
 public:
  template <class T>
  void Put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    Append(&value, sizeof(T));
  }
  template <class T>
  void PutList(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    Put<uint64_t>(values.size());
    Append(values.data(), values.size_bytes());
  }
  template <class T>
  void PutList(const std::vector<T>& values) {
    PutList(std::span<const T>(values));
  }
  void PutText(std::string_view text) { PutList(std::span<const char>(text.data(), text.size())); }
  // `count` floats without their number.
  void PutFloats(const float* values, size_t count) { Append(values, count * sizeof(float)); }

  bool Empty() const { return bytes_.empty(); }
  const std::vector<std::byte>& Bytes() const { return bytes_; }
  std::vector<std::byte> Take() { return std::exchange(bytes_, {}); }

 private:
  void Append(const void* from, size_t size) {
    if (size == 0) return;
    const size_t at = bytes_.size();
    bytes_.resize(at + size);
    std::memcpy(bytes_.data() + at, from, size);
  }

  std::vector<std::byte> bytes_;
};

class Reader {
 public:
  // `bytes` must outlive the reader.
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <class T>
  T Get() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    Copy(&value, sizeof(T));
    return value;
  }
  template <class T>
  std::vector<T> GetList() {
    const auto count = Get<uint64_t>();
    if (count > rest_.size() / sizeof(T)) {
      ok_ = false;
      return {};
    }
    std::vector<T> values(count);
    Copy(values.data(), count * sizeof(T));
    return values;
  }
  std::string GetText() {
    const std::vector<char> text = GetList<char>();
    return {text.begin(), text.end()};
  }
  void GetFloats(float* values, size_t count) { Copy(values, count * sizeof(float)); }

  // Whether all that was asked for was there.
  bool Ok() const { return ok_; }
  bool AtEnd() const { return rest_.empty(); }

 private:
  void Copy(void* to, size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      return;
    }
    if (size > 0) std::memcpy(to, rest_.data(), size);
    rest_ = rest_.subspan(size);
  }

  std::span<const std::byte> rest_;
  bool ok_ = true;
};

}  // namespace headway::distributed
