#pragma once

// Sizes and offsets computed from numbers that a file names. What does not fit stays so, whatever is
// added to it, and has no value: a sum that wraps would put a weight in front of its file.

#include <cstdint>
#include <limits>
#include <optional>

namespace headway {

class CheckedSize {
 public:
  explicit CheckedSize(uint64_t value) : value_(value), fits_(value <= kMost) {}
  explicit CheckedSize(int64_t value) : value_(static_cast<uint64_t>(value)), fits_(value >= 0) {}

  CheckedSize operator+(const CheckedSize& other) const {
    CheckedSize sum(*this);
    sum.fits_ = fits_ && other.fits_ && other.value_ <= kMost - value_;
    sum.value_ += other.value_;
    return sum;
  }
  CheckedSize operator*(const CheckedSize& other) const {
    CheckedSize product(*this);
    uint64_t value = 0;
    product.fits_ = fits_ && other.fits_ && !__builtin_mul_overflow(value_, other.value_, &value) &&
                    value <= kMost;
    product.value_ = value;
    return product;
  }
  // The next multiple of `alignment`, a power of two.
  CheckedSize AlignedTo(uint64_t alignment) const {
    CheckedSize aligned = *this + CheckedSize(alignment - 1);
    aligned.value_ &= ~(alignment - 1);
    return aligned;
  }

  // Nothing: it was negative somewhere, or above what 63 bits hold.
  std::optional<uint64_t> Value() const {
    if (!fits_) return std::nullopt;
    return value_;
  }

 private:
  static constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();

  uint64_t value_;
  bool fits_;
};

}  // namespace headway
