#pragma once

// A JSON schema as grammar rules: the document with its references, and the schemas in it.

#include <string>
#include <vector>

#include "base/result.h"
#include "grammar/expression.h"
#include "grammar/schema_keywords.h"

namespace headway::grammar {

class SchemaConverter {
 public:
  // Schemas inside schemas, references not followed.
  static constexpr int kDeepest = 100;

  explicit SchemaConverter(Json schema);

  // The rules, "root" among them; call once. Errors: kInvalidInput, kUnsupported (naming keyword
  // and place). Throws Json::exception where a keyword's value is of another kind than expected.
  Result<Rules> Run();

 private:
  const Json* Resolve(const std::string& pointer) const;
  Expression Named(Expression e);
  // `where`: the place of the schema in the document; `depth`: schemas around it.
  Result<Expression> Refer(const std::string& pointer, const std::string& where);
  Result<Expression> Convert(const Json& schema, const std::string& where, int depth);
  Result<Expression> ConvertAnyOf(const Json& schema, const char* keyword, const std::string& where,
                                  int depth);
  Result<Expression> ConvertAllOf(const Json& schema, const std::string& where, int depth);
  Result<Expression> ConvertTyped(const Json& schema, const std::string& where, int depth);
  // schema_containers.cc
  Result<Expression> ConvertTuple(const Json& schema, const char* keyword, const std::string& where,
                                  int depth);
  Result<Expression> ConvertArray(const Json& schema, const std::string& where, int depth);
  Result<Expression> ConvertObject(const Json& schema, const std::string& where, int depth);

  const Json document_;
  Rules rules_;
  std::vector<std::string> pending_;  // places that were referred to and are not yet rules
  int num_objects_ = 0;
  int num_parts_ = 0;
};

}  // namespace headway::grammar
