// libFuzzer target: any bytes as a grammar or a JSON schema, and any bytes as a text of it. The
// first byte chooses the language, the second says how many bytes at the end are the text.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "grammar/automaton.h"
#include "grammar/gbnf_parser.h"
#include "grammar/json_schema.h"
#include "grammar/matcher.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t num_bytes) {
  using namespace headway;
  if (num_bytes < 2) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(input), num_bytes);
  const bool is_schema = bytes[0] % 2 != 0;
  const size_t text_bytes = static_cast<uint8_t>(bytes[1]) % 32;
  bytes.remove_prefix(2);
  const std::string_view text = bytes.substr(bytes.size() - std::min(text_bytes, bytes.size()));
  bytes.remove_suffix(text.size());
  const auto rules = is_schema ? grammar::ParseJsonSchema(bytes) : grammar::ParseGbnf(bytes);
  if (!rules) {
    HW_CHECK(!rules.error().message.empty(), "a refusal says why");
    return 0;
  }
  auto automaton = grammar::Automaton::Build(*rules, "root", 2000);
  if (!automaton) return 0;
  grammar::Matcher matcher(std::make_shared<const grammar::Automaton>(*std::move(automaton)));
  auto at = matcher.Start();
  for (const char c : text) {
    if (at == grammar::Matcher::kDead) break;
    HW_CHECK(matcher.CanEnd(at) || !matcher.IsFinal(at), "a living position leads somewhere");
    at = matcher.Next(at, static_cast<uint8_t>(c));
    if (c == 'f' && at != grammar::Matcher::kDead) at = matcher.Forget(at);
  }
  return 0;
}
