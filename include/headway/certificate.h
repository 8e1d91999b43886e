#pragma once

// The evidence that comes with a token of the certified head (docs/certified_head.md).

#include <cstdint>
#include <string_view>

namespace headway {

struct Certificate {
  int32_t token = -1;
  bool fallback = false;       // the full head ran: nothing to certify
  bool audited = false;        // the full head ran as well and gave the same token
  bool deterministic = false;  // holds always; else with failure probability delta
  double delta = 0.0;
  // What the device's sums must be for that; empty: nothing is assumed. Static text.
  std::string_view assumption = {};
  // No row outside those evaluated exactly can have reached this value (a logit, or a perturbed one
  // when sampling without filters).
  float theta = 0.0F;
  float value = 0.0F;            // the winner's logit
  uint64_t rows_screened = 0;    // bounded by one bit a weight
  uint64_t rows_refined = 0;     // by two
  uint64_t rows_three_bits = 0;  // of these, by three
  uint64_t rows_exact = 0;       // computed in the full head's arithmetic
  uint64_t bytes_read = 0;
};

}  // namespace headway
