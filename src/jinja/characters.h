#pragma once

// Upper and lower case, and kinds of characters, as Python's str methods have them.

#include <cstdint>
#include <string>
#include <string_view>

#include "jinja/text.h"

namespace headway::jinja {

uint32_t UpperOf(uint32_t code_point);
uint32_t LowerOf(uint32_t code_point);
bool IsUpper(uint32_t code_point);
bool IsLower(uint32_t code_point);
bool IsLetter(uint32_t code_point);
bool IsDecimalDigit(uint32_t code_point);

enum class Case { kUpper, kLower, kTitle, kCapitalized, kSwapped };

// A character at a time; marks stay where they are. Titles begin behind anything without case.
Text WithCase(const Text& text, Case wanted);

}  // namespace headway::jinja
