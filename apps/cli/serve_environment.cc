#include "serve_environment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/from_chars.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): not everywhere in unistd.h

namespace headway::cli {
namespace {

using Target =
    std::variant<std::optional<std::string> ServeArguments::*, std::optional<int> ServeArguments::*,
                 std::optional<int64_t> ServeArguments::*, std::optional<double> ServeArguments::*>;

struct Variable {
  const char* name;
  Target target;
};

const Variable kVariables[] = {
    {"LLAMA_ARG_MODEL", &ServeArguments::model},
    {"LLAMA_ARG_HOST", &ServeArguments::host},
    {"LLAMA_ARG_PORT", &ServeArguments::port},
    {"LLAMA_ARG_CTX_SIZE", &ServeArguments::context_tokens},
    {"LLAMA_ARG_N_PARALLEL", &ServeArguments::parallel},
    {"LLAMA_ARG_ALIAS", &ServeArguments::alias},
    {"LLAMA_ARG_THREADS", &ServeArguments::threads},
    {"LLAMA_API_KEY", &ServeArguments::api_key},
    {"LLAMA_ARG_API_KEY", &ServeArguments::api_key},
    {"LLAMA_ARG_API_KEY_FILE", &ServeArguments::api_key_file},
    {"LLAMA_ARG_CORS_ORIGINS", &ServeArguments::cors},
    {"LLAMA_ARG_CHAT_TEMPLATE", &ServeArguments::chat_template},
    {"LLAMA_ARG_CHAT_TEMPLATE_FILE", &ServeArguments::chat_template_file},
    {"LLAMA_ARG_POOLING", &ServeArguments::pooling},
    {"LLAMA_ARG_N_PREDICT", &ServeArguments::new_tokens},
    {"LLAMA_ARG_TEMPERATURE", &ServeArguments::temperature},
    {"LLAMA_ARG_TOP_K", &ServeArguments::top_k},
    {"LLAMA_ARG_TOP_P", &ServeArguments::top_p},
    {"LLAMA_ARG_MIN_P", &ServeArguments::min_p},
    {"LLAMA_ARG_REPEAT_PENALTY", &ServeArguments::repeat_penalty},
    {"LLAMA_ARG_PRESENCE_PENALTY", &ServeArguments::presence_penalty},
    {"LLAMA_ARG_FREQUENCY_PENALTY", &ServeArguments::frequency_penalty},
};

Result<void> Take(const char* name, const std::string& text, std::optional<std::string>* value) {
  static_cast<void>(name);
  *value = text;
  return {};
}

template <class T>
Result<void> Take(const char* name, const std::string& text, std::optional<T>* value) {
  T number{};
  const char* const end = text.data() + text.size();
  const auto parsed = FromChars(text.data(), end, number);
  if (parsed.ec != std::errc{} || parsed.ptr != end) {
    return Fail(ErrorCode::kInvalidInput, fmt::format("{}: expected a {}number, found '{}'", name,
                                                      std::is_integral_v<T> ? "whole " : "", text));
  }
  *value = number;
  return {};
}

}  // namespace

Result<ServeArguments> WithEnvironment(ServeArguments arguments) {
  for (const auto& [name, target] : kVariables) {
    const char* const found = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before threads
    if (found == nullptr || *found == '\0') continue;
    const auto take = [&, name = name](auto member) -> Result<void> {
      auto& value = arguments.*member;
      return value ? Result<void>{} : Take(name, found, &value);
    };
    HW_TRY_VOID(std::visit(take, target));
  }
  return arguments;
}

std::vector<std::string> UnknownVariables() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    const bool known = std::any_of(std::begin(kVariables), std::end(kVariables),
                                   [&](const Variable& one) { return one.name == name; });
    if (name.starts_with("LLAMA_ARG_") && !known) names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace headway::cli
