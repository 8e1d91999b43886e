#pragma once

// The keywords of a document's schemas: what they say about scalars as sets, about objects and
// arrays as formulas.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/result.h"
#include "grammar/decimal.h"
#include "grammar/scalar_set.h"
#include "grammar/schema_document.h"
#include "grammar/schema_formula.h"
#include "grammar/schema_options.h"

namespace headway::grammar {

class SchemaReader {
 public:
  enum class Side { kObject, kArray };

  // `document` must outlive the reader.
  SchemaReader(SchemaDocument* document, const SchemaOptions& options)
      : document_(document), options_(options) {}

  // Errors: kInvalidInput, kUnsupported, with the place in the document.
  Result<ScalarSet> Scalars(const Atom& atom);
  Result<FormulaPointer> Read(const Atom& atom, Side side);

  std::string Place(const JsonValue& schema) const { return document_->PlaceOf(schema); }

 private:
  // What is being asked of a schema: with `tracking` which properties and items it looks at too.
  struct Question {
    const JsonValue* schema;
    Side side;
    bool tracking;
    bool operator<(const Question& o) const {
      return std::tie(schema, side, tracking) < std::tie(o.schema, o.side, o.tracking);
    }
  };

  const JsonValue* Keyword(const JsonValue& schema, std::string_view name) const {
    return document_->Keyword(schema, name);
  }
  tl::unexpected<Error> Wrong(const JsonValue& schema, std::string_view keyword,
                              std::string_view expected) const;
  // Whole numbers from 0 up; `otherwise` without the keyword.
  Result<int64_t> Count(const JsonValue& schema, const char* keyword, int64_t otherwise) const;
  // Demand::least and most; false without either keyword.
  Result<bool> Counts(const JsonValue& schema, const char* least, const char* most,
                      Demand* demand) const;
  Result<const JsonValue*> List(const JsonValue& schema, const char* keyword) const;
  Result<const JsonValue*> Map(const JsonValue& schema, const char* keyword) const;
  Result<std::vector<std::string>> Names(const JsonValue& schema, const JsonValue& list,
                                         const char* keyword) const;
  Result<bool> HasType(const JsonValue& schema, std::string_view type) const;
  // What "$ref" and "$dynamicRef" refer to.
  Result<std::vector<const JsonValue*>> References(const JsonValue& schema);
  static tl::unexpected<Error> Endless(const std::string& place);

  // schema_scalars.cc
  Result<ScalarSet> ScalarsOf(const JsonValue& schema);
  Result<ScalarSet> ScalarKeywords(const JsonValue& schema);
  Result<ScalarSet> CombinedScalars(const JsonValue& schema, ScalarSet set);
  Result<ScalarSet> OneOfScalars(const JsonValue& list);
  Result<ScalarSet> LiteralScalars(const JsonValue& schema);
  Result<DfaPointer> NumberLimits(const JsonValue& schema);
  Result<DfaPointer> StringLimits(const JsonValue& schema);

  // schema_reader.cc: the keywords that combine schemas
  Result<FormulaPointer> ReadSchema(const JsonValue& schema, Side side, bool tracking);
  Result<FormulaPointer> ReadCombined(const JsonValue& schema, Side side, bool tracking);
  Result<FormulaPointer> ReadAnyOf(const JsonValue& list, Side side, bool tracking);
  Result<FormulaPointer> ReadOneOf(const JsonValue& list, Side side, bool tracking);
  Result<FormulaPointer> ReadIf(const JsonValue& schema, Side side, bool tracking);
  Result<FormulaPointer> ReadLiterals(const JsonValue& schema, Side side);
  static FormulaPointer ReadLiteral(const JsonValue& value, Side side);
  // What is left for unevaluatedProperties or unevaluatedItems after `others`.
  Result<FormulaPointer> ReadUnevaluated(const JsonValue& schema, const FormulaPointer& others,
                                         Side side, const JsonValue& value);

  // schema_objects.cc, schema_arrays.cc
  Result<FormulaPointer> ReadObject(const JsonValue& schema, bool tracking);
  Result<void> ReadProperties(const JsonValue& schema, bool tracking,
                              std::vector<FormulaPointer>* parts);
  Result<void> ReadDependencies(const JsonValue& schema, bool tracking,
                                std::vector<FormulaPointer>* parts);
  Result<FormulaPointer> ReadArray(const JsonValue& schema, bool tracking);
  Result<void> ReadItems(const JsonValue& schema, bool tracking,
                         std::vector<FormulaPointer>* parts);
  Result<DfaPointer> Pattern(const JsonValue& schema, const std::string& pattern);

  SchemaDocument* const document_;
  const SchemaOptions options_;
  std::map<const JsonValue*, ScalarSet> scalars_;
  std::set<const JsonValue*> scalars_asked_;
  std::map<Question, FormulaPointer> formulas_;
  std::set<Question> asked_;
  std::map<std::string, DfaPointer> patterns_;
};

}  // namespace headway::grammar
