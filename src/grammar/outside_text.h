#pragma once

// JSON texts that others wrote, as far as no grammar can tell them: numbers with an exponent, and
// objects that name a property twice.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headway::grammar {

struct PlainText {
  std::string text;

  // Of a byte of `text` (or its end): where it, or the number it is part of, stands in what was
  // read.
  size_t Original(size_t byte) const;

  // Numbers that were written anew: both texts go on alike from here on.
  struct Change {
    size_t begin, end;          // of the number in `text`
    size_t was_begin, was_end;  // in what was read
  };
  std::vector<Change> changes;
};

// The text with each number that has an exponent written without (1e3 as 1000), which is how the
// sets of number_sets.h are spelled. Numbers of more than 400 digits stay as they are, and so does
// everything that is no JSON.
PlainText PlainNumbers(std::string_view json);

// The first byte of the first name that its object has already, escapes read; `json` must be JSON.
// What such an object means is open (RFC 8259, section 4), so it is a value of no schema.
std::optional<size_t> RepeatedName(std::string_view json);

}  // namespace headway::grammar
