#include "chat/known_formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/quoted.h"
#include "jinja/text.h"

namespace headway::chat {
namespace {

constexpr std::string_view kChatMl =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

constexpr std::string_view kLlama3 =
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' }}"
    "{{ message.content | trim }}{{ '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}";

constexpr std::string_view kGemma =
    "{{ bos_token }}"
    "{% set before = namespace(text='') %}"
    "{% for message in messages %}"
    "{% if message.role == 'system' %}"
    "{% set before.text = before.text ~ (message.content | trim) ~ '\\n\\n' %}"
    "{% else %}"
    "{% set role = 'model' if message.role == 'assistant' else message.role %}"
    "{{ '<start_of_turn>' ~ role ~ '\\n' ~ before.text ~ (message.content | trim) }}"
    "{{ '<end_of_turn>\\n' }}{% set before.text = '' %}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}";

constexpr std::string_view kGranite =
    "{% for message in messages %}"
    "{{ '<|start_of_role|>' + message.role + '<|end_of_role|>' + message.content }}"
    "{{ '<|end_of_text|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}";

constexpr std::string_view kPhi3 =
    "{% for message in messages %}"
    "{{ '<|' + message.role + '|>\\n' + message.content + '<|end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}";

constexpr std::string_view kPhi4Mini =
    "{% for message in messages %}"
    "{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

struct Candidate {
  KnownFormat format;
  std::array<std::string_view, 3> markers;
  std::string_view model;  // of the vocabulary; empty: any
};

constexpr Candidate kCandidates[] = {
    {{"ChatML", kChatMl}, {"<|im_start|>", "<|im_end|>", "<|im_end|>"}, ""},
    {{"Llama 3", kLlama3}, {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}, ""},
    {{"Gemma", kGemma}, {"<start_of_turn>", "<end_of_turn>", "<end_of_turn>"}, ""},
    {{"Granite", kGranite}, {"<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"}, ""},
    {{"Phi-3", kPhi3}, {"<|user|>", "<|assistant|>", "<|end|>"}, "llama"},
    {{"Phi-4-mini", kPhi4Mini}, {"<|user|>", "<|assistant|>", "<|end|>"}, ""},
};

// "Phi-4-mini" -> "phi4mini"
std::string PlainName(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c == '-' || c == '_' || c == ' ') continue;
    plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return plain;
}

}  // namespace

Result<KnownFormat> FormatNamed(std::string_view name) {
  std::string names;
  for (const Candidate& candidate : kCandidates) {
    const std::string plain = PlainName(candidate.format.name);
    if (plain == PlainName(name)) return candidate.format;
    names += (names.empty() ? "" : ", ") + plain;
  }
  return Fail(ErrorCode::kInvalidInput, fmt::format("chat format: expected one of {}, found '{}'",
                                                    names, PrintableWords(name)));
}

std::optional<KnownFormat> FormatOf(const tokenizer::Tokenizer& tokenizer) {
  for (const Candidate& candidate : kCandidates) {
    const bool has_all = std::all_of(candidate.markers.begin(), candidate.markers.end(),
                                     [&](std::string_view marker) {
                                       const auto id = tokenizer.FindToken(marker);
                                       return id && tokenizer.vocabulary().IsSpecial(*id);
                                     });
    if (!has_all) continue;
    if (candidate.model.empty() || candidate.model == tokenizer.vocabulary().model)
      return candidate.format;
  }
  return std::nullopt;
}

}  // namespace headway::chat
