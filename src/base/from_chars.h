#pragma once

// Numbers from text as std::from_chars reads them. Apple's library has that for whole numbers; real
// ones are read by platform.h.

#include <charconv>
#include <type_traits>

#include "base/platform.h"

namespace headway {

// As std::from_chars(first, last, value): no blanks, no plus, no locale; `value` stays as it was
// unless the outcome has no error.
template <class T>
std::from_chars_result FromChars(const char* first, const char* last, T& value) {
  if constexpr (std::is_floating_point_v<T>) {
    return platform::ReadReal(first, last, value);
  } else {
    return std::from_chars(first, last, value);
  }
}

}  // namespace headway
