#pragma once

// "full:4", "certified", "reduced:2048" and their kin: how --head names what an LM head is made of.

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace headway::compile {

struct HeadKind {
  std::string name;        // "full", "certified"
  int64_t num_shards = 1;  // of the vocabulary
  int64_t first_rows = 0;  // reduced:K: rows computed first
  // Certified and reduced heads: planes beside the rows, which they can share with a full head.
  bool HasPlanes() const { return name == "certified" || name == "reduced"; }
};

// Errors: kInvalidInput (not KIND or KIND:N, no known kind).
Result<HeadKind> ParseHeadKind(const std::string& text);

// How a kind is written: "full:4", "certified".
std::string KindText(const HeadKind& kind);

// Whether `device` makes that kind, `available` being those it does. Errors: kUnsupported.
Result<void> CheckHeadKind(const std::string& text, const HeadKind& kind, std::string_view device,
                           std::span<const std::string> available);

// The one way a kind is written: "full" is "full:1", "full:04" is "full:4". Errors: as above.
Result<std::string> CanonicalHeadKind(const std::string& text);

}  // namespace headway::compile
