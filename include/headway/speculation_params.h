#pragma once

// What a request may say about speculation (docs/speculation.md). It changes speed, never a token.
// A plain value.

#include <cstdint>

namespace headway {

enum class Speculate {
  kOff,
  kLookup,      // n-grams of prompt and output
  kDraftModel,  // EngineOptions::draft_model
};

struct SpeculationParams {
  Speculate kind = Speculate::kOff;
  bool probe_lookup = false;  // decode plainly and count what lookup would have given
  int64_t min_ngram = 2;      // lookup: shortest and longest n-gram, 1 to 16
  int64_t max_ngram = 4;
  int64_t most_drafts = 7;  // a step; at most 15
  // Draft as many tokens as pay by the times measured so far; false: always most_drafts.
  bool adapt = true;
};

}  // namespace headway
