#pragma once

// What the gates found, and how it is shown.

#include <cstdint>
#include <string>
#include <vector>

#include "device/residency.h"
#include "gates/difference.h"
#include "manifest/manifest.h"

namespace headway::gates {

// The record of quality with keys and values in Q8_0.
inline constexpr const char* kQ8KvGate = "quality-kv-q8_0";

// A shard's ops.
struct ShardPlacement {
  std::string shard;  // "layers_000_006.shard"
  Residency residency;
};

// One comparison of the golden gate.
struct Check {
  std::string subject;  // "layers_000_006.shard, products"
  Difference difference;
  std::string problem;  // empty: passed
};

struct QualityFigures {
  int64_t positions = 0;
  double cosine = 1;   // lowest over positions
  double mean_kl = 0;  // nats a token; only where a head gives logits
  double largest_kl = 0;
  bool has_logits = false;
  int64_t same_choice = 0;    // positions, teacher-forced
  int64_t decided = 0;        // positions where the reference's lead is kDecidedLead or more
  int64_t decided_wrong = 0;  // of those, another choice
  std::vector<std::string> problems;
};

struct GateReport {
  std::string directory;
  std::string device;
  std::string kernels;  // "avx512", "interpreter"
  int64_t positions = 0;
  std::vector<ShardPlacement> residency;
  std::vector<Check> arithmetic;
  QualityFigures quality;
  QualityFigures quality_q8_kv;     // of sessions with keys and values in Q8_0
  std::vector<GateRecord> records;  // of the gates that ran, in order

  // Whether no gate failed.
  bool Passed() const;
};

// As a table for people: a verdict a gate, the figures, each problem on a line of its own.
std::string ToText(const GateReport& report);

// "linear 24 avx512, attention 6 avx512": how many ops of each kind run where.
std::string Summarise(const Residency& residency);

}  // namespace headway::gates
