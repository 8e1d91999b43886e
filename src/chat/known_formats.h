#pragma once

// Chat formats of families whose files sometimes lack their template, told by the control tokens of
// their vocabulary. Written by us, after what each family publishes about its format.

#include <optional>
#include <string_view>

#include "base/result.h"
#include "tokenizer/tokenizer.h"

namespace headway::chat {

struct KnownFormat {
  std::string_view name;
  std::string_view source;  // a Jinja template
};

std::optional<KnownFormat> FormatOf(const tokenizer::Tokenizer& tokenizer);
// As ChatTemplate::FromName.
Result<KnownFormat> FormatNamed(std::string_view name);

}  // namespace headway::chat
