#pragma once

// "full:4", "certified", "reduced:2048" and their kin: how --head and a manifest name what an LM
// head is made of.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headway {

enum class HeadForm : uint8_t {
  kFull,
  kTop1,      // shards give their best logit and its row alone
  kBlockMax,  // shards give the maxima of blocks of logits, too
  kTop1F16,   // kTop1 in 16-bit floats throughout
  kCertified,
  kReduced,
};

// "full", "top1-fp16"
std::string_view NameOf(HeadForm form);

struct HeadKind {
  HeadForm form = HeadForm::kFull;
  int64_t num_shards = 1;  // of the vocabulary
  int64_t first_rows = 0;  // reduced:K: rows computed first
  // Planes beside the rows, which they can share with a full head.
  bool HasPlanes() const { return form == HeadForm::kCertified || form == HeadForm::kReduced; }
  // Shards select where logits are made, and give none.
  bool IsTop1() const { return form == HeadForm::kTop1 || form == HeadForm::kTop1F16; }
};

// Stands for a choice by the rows, where no kind is named: no kind itself.
inline constexpr std::string_view kAutoHead = "auto";

// Errors: kInvalidInput (not KIND or KIND:N, no known kind).
Result<HeadKind> ParseHeadKind(const std::string& text);

// How a kind is written: "full:4", "certified".
std::string KindText(const HeadKind& kind);

// Whether `device` makes that kind, `available` being those it does. Errors: kUnsupported.
Result<void> CheckHeadKind(const std::string& text, const HeadKind& kind, std::string_view device,
                           std::span<const HeadForm> available);

// The one way a kind is written: "full" is "full:1", "full:04" is "full:4". Errors: as above.
Result<std::string> CanonicalHeadKind(const std::string& text);

}  // namespace headway
