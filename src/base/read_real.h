#pragma once

// std::from_chars for real numbers over the C library, for systems whose C++ library has none. Also
// compiled where it is not needed, so that it is tested.

#include <locale.h>
#include <stdlib.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif

#include <cerrno>
#include <charconv>
#include <cmath>
#include <string>

namespace headway {

// The characters from `first` on that std::from_chars may look at: what the C library would read
// besides (blanks, a plus, hexadecimal digits) ends them.
inline const char* EndOfReal(const char* first, const char* last) {
  const char* digits = first;
  if (digits != last && *digits == '-') ++digits;
  if (digits == last || *digits == '+' || *digits == '-' || *digits == ' ' ||
      (*digits >= '\t' && *digits <= '\r'))
    return first;
  const bool is_hexadecimal =
      last - digits > 1 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
  return is_hexadecimal ? digits + 1 : last;
}

template <class T>
std::from_chars_result ReadRealByStrtod(const char* first, const char* last, T& value) {
  static const locale_t kPlain = ::newlocale(LC_ALL_MASK, "C", nullptr);
  const std::string text(first, EndOfReal(first, last));
  char* end = nullptr;
  errno = 0;
  T read{};
  if constexpr (sizeof(T) == sizeof(float)) {
    read = ::strtof_l(text.c_str(), &end, kPlain);
  } else {
    read = ::strtod_l(text.c_str(), &end, kPlain);
  }
  const char* const stop = first + (end - text.c_str());
  if (stop == first) return {first, std::errc::invalid_argument};
  // Denormals are numbers, although the C library reports them.
  if (errno == ERANGE && (std::isinf(read) || read == T{}))
    return {stop, std::errc::result_out_of_range};
  value = read;
  return {stop, std::errc{}};
}

}  // namespace headway
