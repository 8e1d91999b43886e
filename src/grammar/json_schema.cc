#include "grammar/json_schema.h"

#include <memory>
#include <utility>

#include "grammar/json_value.h"
#include "grammar/schema_document.h"
#include "grammar/schema_reader.h"
#include "grammar/schema_rules.h"

namespace headway::grammar {

Result<Rules> ParseJsonSchema(std::string_view json, const SchemaOptions& options) {
  HW_TRY(JsonValue schema, ParseJson(json));
  HW_TRY(const std::unique_ptr<SchemaDocument> document, SchemaDocument::Create(std::move(schema)));
  SchemaReader reader(document.get(), options);
  SchemaGoals goals(&reader);
  Atom root;
  root.node = &document->Root();
  return SchemaRules(&goals, options).Run(goals.Number({root}));
}

}  // namespace headway::grammar
