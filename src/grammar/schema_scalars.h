#pragma once

// Schemas of texts that hold no further schemas: strings, integers, constants. `where` names the
// place of the schema for errors (kInvalidInput, kUnsupported).

#include <cstdint>
#include <string>

#include "base/result.h"
#include "grammar/expression.h"
#include "grammar/schema_keywords.h"

namespace headway::grammar {

// Of items or characters.
struct SchemaCounts {
  int64_t least = 0;
  int64_t most = Expression::kNoLimit;
};

// From the keywords named `least` and `most`, minItems and maxItems for one.
Result<SchemaCounts> CountsOf(const Json& schema, const char* least, const char* most,
                              const std::string& where);

Result<Expression> ConvertString(const Json& schema, const std::string& where);
Result<Expression> ConvertInteger(const Json& schema, const std::string& where);
// const and enum.
Result<Expression> ConvertLiterals(const Json& schema, const std::string& where);

}  // namespace headway::grammar
