#include "server/token_facts.h"

#include <algorithm>
#include <utility>

namespace headway::server {
namespace {

// How much `*before` has grown, and that it has.
uint64_t Growth(uint64_t now, uint64_t* before) { return now - std::exchange(*before, now); }

double Milliseconds(uint64_t ns) { return static_cast<double>(ns) * 1e-6; }

}  // namespace

std::vector<TokenFacts> TokenFactsReader::Read(const NewTokens& tokens) {
  const Counters& counters = *tokens.counters;
  const bool is_timed = Growth(counters.steps, &steps_) > 0;
  const bool is_forced = Growth(counters.forced_tokens, &forced_) > 0;
  const uint64_t layers_ns = Growth(counters.layers_ns, &layers_ns_);
  const uint64_t head_ns = Growth(counters.head_ns, &head_ns_);
  const uint64_t head_bytes = Growth(counters.head_bytes_read, &head_bytes_);
  const uint64_t count = std::max<uint64_t>(tokens.choices.size(), 1);
  std::vector<TokenFacts> all(tokens.choices.size());
  for (size_t i = 0; i < all.size(); ++i) {
    TokenFacts& facts = all[i];
    // A draft that was right is the choice before the last one of its step.
    facts.was_drafted = i + 1 < all.size();
    if (is_forced) {
      facts.chooser = TokenFacts::Chooser::kForced;
      continue;
    }
    facts.is_timed = is_timed;
    facts.layers_ns = layers_ns / count;
    facts.head_ns = head_ns / count;
    facts.head_bytes = head_bytes / count;
    if (i >= tokens.certificates.size()) continue;
    const Certificate& certificate = tokens.certificates[i];
    facts.chooser =
        certificate.fallback ? TokenFacts::Chooser::kFallback : TokenFacts::Chooser::kCertified;
    facts.head_bytes = certificate.bytes_read;
    facts.rows_exact = certificate.rows_exact;
  }
  return all;
}

std::string_view ChooserName(TokenFacts::Chooser chooser) {
  switch (chooser) {
    case TokenFacts::Chooser::kFull:
      return "full";
    case TokenFacts::Chooser::kCertified:
      return "certified";
    case TokenFacts::Chooser::kFallback:
      return "fallback";
    case TokenFacts::Chooser::kForced:
      break;
  }
  return "forced";
}

uint64_t WholeHeadBytes(const Pipeline& pipeline) {
  uint64_t bytes = 0;
  for (const auto& shard : pipeline.Head().shards)
    bytes += static_cast<uint64_t>(shard->WeightBytes());
  return bytes;
}

Json TokenFactsJson(const TokenFacts& facts, uint64_t whole_head_bytes) {
  const bool has_bytes = facts.is_timed || facts.chooser != TokenFacts::Chooser::kFull;
  Json json = {{"chosen_by", ChooserName(facts.chooser)},
               {"drafted", facts.was_drafted},
               {"head_bytes", nullptr},
               {"head_share", nullptr},
               {"rows_exact", facts.rows_exact},
               {"layers_ms", nullptr},
               {"head_ms", nullptr}};
  if (has_bytes) json["head_bytes"] = facts.head_bytes;
  if (has_bytes && whole_head_bytes > 0) {
    json["head_share"] =
        static_cast<double>(facts.head_bytes) / static_cast<double>(whole_head_bytes);
  }
  if (facts.is_timed) {
    json["layers_ms"] = Milliseconds(facts.layers_ns);
    json["head_ms"] = Milliseconds(facts.head_ns);
  }
  return json;
}

}  // namespace headway::server
