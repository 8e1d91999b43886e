#pragma once

// Formatted text at the end of a string: what the lab's writers are made of.

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <utility>

namespace headway::lab {

template <class... Values>
void Append(std::string* out, fmt::format_string<Values...> format, Values&&... values) {
  fmt::format_to(std::back_inserter(*out), format, std::forward<Values>(values)...);
}

}  // namespace headway::lab
