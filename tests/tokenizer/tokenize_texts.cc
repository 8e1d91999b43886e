// tokenize_texts VOCABULARY.gguf [special]: reads texts from stdin, a line each in hexadecimal, and
// writes a line for each: its ids, a tab, what they decode to in hexadecimal. With "special", tokens
// like <|end|> are parsed and decoded; no marks are added. On stderr: seconds to load and encode.

#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

#include "model/vocabulary.h"
#include "tokenizer/tokenizer.h"

namespace headway {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int Fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 2;
}

std::string FromHex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return bytes;
}

std::string ToHex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    hex.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    hex.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return hex;
}

int Run(const char* path, bool special) {
  const auto file = gguf::GgufFile::Open(path);
  if (!file) return Fail(file.error());
  auto start = Clock::now();
  auto vocabulary = model::VocabularyFromGguf(*file);
  if (!vocabulary) return Fail(vocabulary.error());
  const double read_seconds = SecondsSince(start);
  start = Clock::now();
  const auto tokenizer = tokenizer::Tokenizer::Create(*std::move(vocabulary));
  if (!tokenizer) return Fail(tokenizer.error());
  const double create_seconds = SecondsSince(start);
  double encode_seconds = 0;
  size_t num_bytes = 0;
  for (std::string line; std::getline(std::cin, line);) {
    const std::string text = FromHex(line);
    start = Clock::now();
    const auto ids = tokenizer->Encode(text, {.add_bos = false, .parse_special = special});
    encode_seconds += SecondsSince(start);
    num_bytes += text.size();
    if (!ids) return Fail(ids.error());
    std::string out;
    for (const int32_t id : *ids) out += std::to_string(id) + ' ';
    std::printf("%s\t%s\n", out.c_str(), ToHex(tokenizer->Decode(*ids, special)).c_str());
  }
  std::fprintf(stderr, "vocabulary read in %.3f s, tokenizer made in %.3f s, %zu bytes in %.3f s\n",
               read_seconds, create_seconds, num_bytes, encode_seconds);
  return 0;
}

}  // namespace
}  // namespace headway

int main(int argc, char** argv) {
  if (argc != 2 && !(argc == 3 && std::string_view(argv[2]) == "special")) {
    std::fprintf(stderr, "usage: tokenize_texts VOCABULARY.gguf [special] <texts\n");
    return 2;
  }
  return headway::Run(argv[1], argc == 3);
}
