#include "tokenizer/pretokenizer_rules.h"

#include <array>

namespace headway::tokenizer {
namespace {

// White space as the original engines (Rust's regex, Oniguruma, Python's regex) define it: the
// Unicode property White_Space. PCRE2's own \s would add U+180E, which left the property with
// Unicode 6.3.
#define HW_SPACE \
  R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})"
// Blocks of pictures: their code points that Unicode 14 does not know yet have become symbols.
#define HW_SYMBOL R"(\p{S}\x{1F300}-\x{1FAFF})"
#define HW_UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define HW_LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define HW_CONTRACTION R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
// White space: up to the last line break; else all but the last character, which belongs to the
// next word.
#define HW_SPACE_RUNS "[" HW_SPACE "]+(?![^" HW_SPACE "])|[" HW_SPACE "]+"
#define HW_SPACE_RULES "[" HW_SPACE R"(]*[\r\n]+|)" HW_SPACE_RUNS
// Words with the character before them, digits, punctuation with the line breaks behind it.
#define HW_CL100K(digits)                                    \
  HW_CONTRACTION                                             \
  R"(|[^\r\n\p{L}\p{N}]?\p{L}+|)" digits R"(| ?[^)" HW_SPACE \
  R"(\p{L}\p{N}]+[\r\n]*|)" HW_SPACE_RULES
// The same, with words cut where capitals follow small letters.
#define HW_CASED(contraction, digits)                                                             \
  R"([^\r\n\p{L}\p{N}]?)" HW_UPPER "*" HW_LOWER "+" contraction R"(|[^\r\n\p{L}\p{N}]?)" HW_UPPER \
  "+" HW_LOWER "*" contraction "|" digits R"(| ?[^)" HW_SPACE                                     \
  R"(\p{L}\p{N}]+[\r\n/]*|)" HW_SPACE_RULES
// DeepSeek's first expressions know letters by a list: those of Unicode 11 that have a case, but
// for Armenian and Georgian small letters and mathematical ones.
#define HW_LISTED_LETTERS                                                                    \
  R"(\x{41}-\x{5A}\x{61}-\x{7A}\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA})"              \
  R"(\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377})"            \
  R"(\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5})"     \
  R"(\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5})"       \
  R"(\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77})" \
  R"(\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D})" \
  R"(\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4})"           \
  R"(\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3})"          \
  R"(\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107})"  \
  R"(\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}\x{212A}-\x{212D})"   \
  R"(\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184})"   \
  R"(\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D})"  \
  R"(\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF})" \
  R"(\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A})"                  \
  R"(\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2})"          \
  R"(\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943})"

// Sources: openai/tiktoken, tiktoken_ext/openai_public.py (gpt2, cl100k_base, o200k_base); the
// pre_tokenizer of the models' tokenizer.json for the others, named in docs/tokenizer.md.
constexpr const char* kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^)" HW_SPACE R"(\p{L}\p{N}]+|)" HW_SPACE_RUNS;
constexpr const char* kOneDigit = R"(\p{N})";
constexpr const char* kThreeDigits = R"(\p{N}{1,3})";
constexpr const char* kLineBreak = R"([\r\n])";

constexpr std::array kGpt2Stages = {kGpt2};
constexpr std::array kDigitsGpt2Stages = {kOneDigit, kGpt2};
// llama.cpp's own, for files whose pre-tokenizer the converter did not know.
constexpr std::array kDefaultStages = {R"([\p{P}$+<=>^~|]+)", kGpt2, R"(\p{N}+)",
                                       "[0-9][0-9][0-9]"};
constexpr std::array kLlama3Stages = {HW_CL100K(R"(\p{N}{1,3})")};
constexpr std::array kQwen2Stages = {HW_CL100K(R"(\p{N})")};
constexpr std::array kMiniCpm5Stages = {kThreeDigits, HW_CL100K(R"(\p{N}+)")};
// Qwen 2's, with combining marks as part of words.
constexpr std::array kQwen35Stages = {HW_CONTRACTION
                                      R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^)" HW_SPACE
                                      R"(\p{L}\p{M}\p{N}]+[\r\n]*|)" HW_SPACE_RULES};
constexpr std::array kSeedCoderStages = {HW_CONTRACTION
                                         R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^)" HW_SPACE
                                         R"(\p{L}\p{N}\r\n]+|)" HW_SPACE_RULES};
constexpr std::array kGpt4oStages = {HW_CASED(HW_CONTRACTION "?", R"(\p{N}{1,3})")};
constexpr std::array kTekkenStages = {HW_CASED("", R"(\p{N})")};
// "(?<!" where DeepSeek writes only \s+$: the same matches, without a walk over the rest of a run
// of white space from each of its characters.
constexpr std::array kDeepSeekLlmStages = {
    kLineBreak,
    "[" HW_SPACE "]?[" HW_LISTED_LETTERS "]+",
    "[" HW_SPACE
    R"(]?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)",
    "(?<![" HW_SPACE "])[" HW_SPACE R"(]++\z)",
    R"([\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+)",
    kOneDigit};
constexpr std::array kDeepSeekCoderStages = {
    kLineBreak, "[" HW_SPACE R"(]?\p{L}+)", "[" HW_SPACE R"(]?\p{P}+)",
    R"([\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+)", kOneDigit};
constexpr std::array kDeepSeek3Stages = {
    kThreeDigits, R"([\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)",
    R"([!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P})" HW_SYMBOL R"(]?[\p{L}\p{M}]+| ?[\p{P})" HW_SYMBOL
    R"(]+[\r\n]*|)" HW_SPACE_RULES};
constexpr const char* kBloom =
    " ?[^(|.,!?" HW_SPACE R"(\x{2026}\x{3002}\x{FF0C}\x{3001}\x{964}\x{6D4}\x{60C})]+)";
constexpr std::array kBloomStages = {kBloom};
constexpr std::array kVikingStages = {kBloom, kOneDigit};

constexpr PretokenizerRules kGpt2Rules = {kGpt2Stages};
constexpr PretokenizerRules kDigitsGpt2Rules = {kDigitsGpt2Stages};
constexpr PretokenizerRules kDefaultRules = {kDefaultStages};
constexpr PretokenizerRules kLlama3Rules = {kLlama3Stages, true, true};
constexpr PretokenizerRules kCl100kRules = {kLlama3Stages};
constexpr PretokenizerRules kQwen2Rules = {kQwen2Stages};
constexpr PretokenizerRules kQwen35Rules = {kQwen35Stages};
constexpr PretokenizerRules kMiniCpm5Rules = {kMiniCpm5Stages, true};
constexpr PretokenizerRules kSeedCoderRules = {kSeedCoderStages};
constexpr PretokenizerRules kGpt4oRules = {kGpt4oStages};
constexpr PretokenizerRules kTekkenRules = {kTekkenStages, true, true};
constexpr PretokenizerRules kDeepSeekLlmRules = {kDeepSeekLlmStages};
constexpr PretokenizerRules kDeepSeekCoderRules = {kDeepSeekCoderStages};
constexpr PretokenizerRules kDeepSeek3Rules = {kDeepSeek3Stages};
constexpr PretokenizerRules kBloomRules = {kBloomStages};
constexpr PretokenizerRules kVikingRules = {kVikingStages};

struct NamedRules {
  std::string_view name;
  const PretokenizerRules* rules;
};

// Names, which of them share an expression, whole pieces and the default of adding BOS as llama.cpp
// reads them (src/llama-vocab.cpp, tokenizer_pre).
constexpr std::array kNames = {
    NamedRules{"gpt-4o", &kGpt4oRules},
    NamedRules{"llama4", &kGpt4oRules},
    NamedRules{"kanana2", &kGpt4oRules},
    NamedRules{"gpt-2", &kGpt2Rules},
    NamedRules{"phi-2", &kGpt2Rules},
    NamedRules{"mpt", &kGpt2Rules},
    NamedRules{"olmo", &kGpt2Rules},
    NamedRules{"jais", &kGpt2Rules},
    NamedRules{"trillion", &kGpt2Rules},
    NamedRules{"gigachat", &kGpt2Rules},
    NamedRules{"a.x-4.0", &kGpt2Rules},
    NamedRules{"mellum", &kGpt2Rules},
    NamedRules{"exaone4", &kGpt2Rules},
    NamedRules{"granite-docling", &kGpt2Rules},
    NamedRules{"default", &kDefaultRules},
    NamedRules{"smollm", &kDigitsGpt2Rules},
    NamedRules{"refact", &kDigitsGpt2Rules},
    NamedRules{"starcoder", &kDigitsGpt2Rules},
    NamedRules{"command-r", &kDigitsGpt2Rules},
    NamedRules{"codeshell", &kDigitsGpt2Rules},
    NamedRules{"exaone", &kDigitsGpt2Rules},
    NamedRules{"minerva-7b", &kDigitsGpt2Rules},
    NamedRules{"llama-bpe", &kLlama3Rules},
    NamedRules{"llama3", &kLlama3Rules},
    NamedRules{"llama-v3", &kLlama3Rules},
    NamedRules{"falcon3", &kLlama3Rules},
    NamedRules{"falcon-h1", &kLlama3Rules},
    NamedRules{"pixtral", &kLlama3Rules},
    NamedRules{"midm-2.0", &kLlama3Rules},
    NamedRules{"lfm2", &kLlama3Rules},
    NamedRules{"smaug-bpe", &kCl100kRules},
    NamedRules{"dbrx", &kCl100kRules},
    NamedRules{"minicpm5", &kMiniCpm5Rules},
    NamedRules{"qwen2", &kQwen2Rules},
    NamedRules{"deepseek-r1-qwen", &kQwen2Rules},
    NamedRules{"stablelm2", &kQwen2Rules},
    NamedRules{"megrez", &kQwen2Rules},
    NamedRules{"hunyuan", &kQwen2Rules},
    NamedRules{"kormo", &kQwen2Rules},
    NamedRules{"qwen35", &kQwen35Rules},
    NamedRules{"seed-coder", &kSeedCoderRules},
    NamedRules{"tekken", &kTekkenRules},
    NamedRules{"deepseek-llm", &kDeepSeekLlmRules},
    NamedRules{"deepseek-coder", &kDeepSeekCoderRules},
    NamedRules{"deepseek-v3", &kDeepSeek3Rules},
    NamedRules{"hunyuan-dense", &kDeepSeek3Rules},
    NamedRules{"poro-chat", &kBloomRules},
    NamedRules{"bloom", &kBloomRules},
    NamedRules{"gpt3-finnish", &kBloomRules},
    NamedRules{"viking", &kVikingRules},
};

}  // namespace

const PretokenizerRules* FindPretokenizerRules(std::string_view name) {
  for (const NamedRules& named : kNames) {
    if (named.name == name) return named.rules;
  }
  return nullptr;
}

std::string PretokenizerNames() {
  std::string names;
  for (const NamedRules& named : kNames) {
    if (!names.empty()) names += ' ';
    names += named.name;
  }
  return names;
}

}  // namespace headway::tokenizer
