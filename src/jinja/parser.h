#pragma once

// Words to a tree. The grammar and its precedences are Jinja's (jinja.palletsprojects.com,
// Template Designer Documentation).

#include <string_view>

#include "base/result.h"
#include "jinja/syntax.h"

namespace headway::jinja {

// A kBody. Errors: kInvalidInput with line and column; kUnsupported for tags that are Jinja's but
// not understood here (extends, include, import, block, ...).
Result<NodePtr> ParseTemplate(std::string_view source);

}  // namespace headway::jinja
