// headway grammar match: whether texts are of a grammar, and where they leave it.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "grammar/compile.h"
#include "grammar/json_value.h"
#include "grammar/matcher.h"
#include "grammar/outside_text.h"
#include "input.h"
#include "output.h"

namespace headway::cli {
namespace {

constexpr uint64_t kMostGrammarBytes = uint64_t{16} << 20;
constexpr uint64_t kMostTextsBytes = uint64_t{256} << 20;

Result<std::shared_ptr<const grammar::Automaton>> CompileFor(const GrammarArguments& arguments) {
  const bool is_schema = arguments.grammar_file.empty();
  if (is_schema == arguments.json_schema_file.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("expected --grammar or --json-schema, found {}",
                            is_schema ? "neither" : "both"));
  }
  if (!is_schema && (arguments.as_generated || arguments.no_formats)) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: expected --json-schema beside it, found --grammar",
                            arguments.as_generated ? "--as-generated" : "--no-formats"));
  }
  const std::string& file = is_schema ? arguments.json_schema_file : arguments.grammar_file;
  HW_TRY(const std::string text, ReadInput(file, kMostGrammarBytes));
  grammar::SchemaOptions options = grammar::kEverySpelling;
  if (arguments.as_generated) options = {};
  options.assert_formats = !arguments.no_formats;
  auto automaton =
      is_schema ? grammar::CompileJsonSchema(text, options) : grammar::CompileGbnf(text);
  if (!automaton) return Prefixed(automaton.error(), InputName(file));
  return automaton;
}

Result<std::vector<std::string>> ReadTexts(const GrammarArguments& arguments) {
  if (arguments.text_file.empty() == arguments.texts_file.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("expected TEXT or --texts, found {}",
                            arguments.text_file.empty() ? "neither" : "both"));
  }
  std::vector<std::string> texts;
  if (!arguments.text_file.empty()) {
    HW_TRY(std::string text, ReadInput(arguments.text_file, kMostTextsBytes));
    // Editors end files with a new line, and so does JSON in files; a GBNF text may mean it.
    const bool is_schema = !arguments.json_schema_file.empty();
    if (is_schema && !text.empty() && text.back() == '\n') text.pop_back();
    texts.push_back(std::move(text));
    return texts;
  }
  HW_TRY(const std::string lines, ReadInput(arguments.texts_file, kMostTextsBytes));
  for (size_t begin = 0; begin < lines.size();) {
    const size_t end = std::min(lines.find('\n', begin), lines.size());
    auto value = grammar::ParseJson(lines.substr(begin, end - begin));
    const std::string place =
        fmt::format("{}: text {}", InputName(arguments.texts_file), texts.size() + 1);
    if (!value) return Prefixed(value.error(), place);
    if (!value->Is(grammar::JsonValue::Kind::kString)) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("{}: expected a JSON string, found {}", place, Shown(*value)));
    }
    texts.push_back(std::move(value->text));
    begin = end + 1;
  }
  return texts;
}

struct GrammarVerdict {
  bool matches = false;
  size_t byte = 0;  // where the text leaves the language, or its end when it is not complete
  bool repeats_name = false;
};

Result<GrammarVerdict> MatchGrammar(const std::string& text, grammar::Matcher* matcher) {
  grammar::Matcher::Position at = matcher->Start();
  for (size_t i = 0; i <= text.size(); ++i) {
    if (matcher->TooAmbiguous())
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("byte {}: expected a grammar that can be read in fewer ways at once", i));
    if (at == grammar::Matcher::kDead) return GrammarVerdict{false, i == 0 ? 0 : i - 1, false};
    if (i < text.size()) at = matcher->Next(at, static_cast<uint8_t>(text[i]));
  }
  return GrammarVerdict{matcher->CanEnd(at), text.size(), false};
}

// As MatchGrammar, and what no grammar can tell; `outside`: numbers have every spelling.
Result<GrammarVerdict> MatchJson(const std::string& text, bool outside, grammar::Matcher* matcher) {
  GrammarVerdict verdict;
  if (outside) {
    const grammar::PlainText plain = grammar::PlainNumbers(text);
    HW_TRY(verdict, MatchGrammar(plain.text, matcher));
    verdict.byte = plain.Original(verdict.byte);
  } else {
    HW_TRY(verdict, MatchGrammar(text, matcher));
  }
  if (!verdict.matches) return verdict;
  const std::optional<size_t> repeated = grammar::RepeatedName(text);
  return repeated ? GrammarVerdict{false, *repeated, true} : verdict;
}

std::string Report(const std::string& text, const GrammarVerdict& verdict, bool json) {
  if (verdict.matches) return json ? "{\"match\": true}" : "match";
  const auto begin = text.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(verdict.byte);
  const auto line = 1 + std::count(begin, end, '\n');
  const size_t line_end =
      verdict.byte == 0 ? std::string::npos : text.rfind('\n', verdict.byte - 1);
  const size_t column = line_end == std::string::npos ? verdict.byte + 1 : verdict.byte - line_end;
  if (json)
    return fmt::format("{{\"match\": false, \"byte\": {}, \"line\": {}, \"column\": {}}}",
                       verdict.byte, line, column);
  std::string found = "the end";
  if (verdict.byte < text.size()) {
    const auto c = static_cast<unsigned char>(text[verdict.byte]);
    found = c > 0x20 && c < 0x7F ? fmt::format("'{}'", text[verdict.byte])
                                 : fmt::format("the byte {:#04x}", static_cast<unsigned>(c));
  }
  return fmt::format("no match: byte {}, line {}, column {}: {}, found {}", verdict.byte, line,
                     column,
                     verdict.repeats_name ? "expected names that their object has once"
                                          : "nothing of the grammar begins so",
                     verdict.repeats_name ? "one again" : found);
}

}  // namespace

Result<void> Run(const GrammarArguments& arguments) {
  HW_TRY(const auto automaton, CompileFor(arguments));
  HW_TRY(const std::vector<std::string> texts, ReadTexts(arguments));
  grammar::Matcher matcher(automaton);
  std::string report;
  size_t others = 0;
  const bool is_schema = !arguments.json_schema_file.empty();
  for (const std::string& text : texts) {
    HW_TRY(const GrammarVerdict verdict, is_schema
                                             ? MatchJson(text, !arguments.as_generated, &matcher)
                                             : MatchGrammar(text, &matcher));
    report += Report(text, verdict, arguments.json) + "\n";
    others += verdict.matches ? 0 : 1;
  }
  HW_TRY_VOID(WriteOut(report));
  if (others == 0) return {};
  return Fail(ErrorCode::kGateFailed,
              texts.size() == 1
                  ? "the text is none of the grammar"
                  : fmt::format("{} of {} texts are none of the grammar", others, texts.size()));
}

}  // namespace headway::cli
