#pragma once

// What an experiment has found so far: kept in DIR/results.json after every step, so that an
// interrupted run goes on where it stopped, and read by the pages.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/measure/turns.h"
#include "lab/spec.h"
#include "manifest/manifest.h"

namespace headway::lab {

// One round of one variant, a token: nanoseconds of wall time, bytes, rows.
struct Sample {
  double step_ns = 0;
  double embed_ns = 0;
  double rotary_ns = 0;
  double layers_ns = 0;
  double head_ns = 0;
  double predict_ns = 0;
  double reduce_ns = 0;
  double head_bytes = 0;
  double layers_bytes = 0;
  double rows_screened = 0;
  double rows_rescored = 0;
  double fallbacks = 0;
  std::vector<double> layer_shard_ns;
  std::vector<double> head_shard_ns;
  std::string tokens_hash;  // of the ids decoded in the round
  friend bool operator==(const Sample&, const Sample&) = default;
};

// A shard as its package has it.
struct ShardFacts {
  std::string name;
  int64_t begin = 0;  // layers or vocabulary rows
  int64_t end = 0;
  bool is_head = false;
  uint64_t bytes = 0;
  int64_t ops = 0;       // compute ops
  int64_t resident = 0;  // of those
  bool failed = false;   // a gate names it
  friend bool operator==(const ShardFacts&, const ShardFacts&) = default;
};

enum class Status : uint8_t {
  kPending,       // nothing done yet
  kNotAvailable,  // this build cannot make it; reason
  kFailedGate,    // reason
  kReady,         // gates passed, to be measured
  kNoDevice,      // gates passed as predicted; no such device here, so no speed
};

struct VariantResult {
  VariantSpec spec;
  Status status = Status::kPending;
  std::string reason;
  std::vector<GateRecord> gates;
  std::vector<ShardFacts> shards;
  std::vector<Sample> samples;  // one a round, in order
};

struct Results {
  std::string spec_digest;
  std::string model_name;
  std::string model_file;
  std::string model_digest;
  std::string machine;
  std::string kernels;
  int threads = 0;
  std::string date;  // of the first measurement
  std::string version;
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t num_layers = 0;
  std::vector<double> bandwidth;  // bytes a second, one a round
  std::vector<VariantResult> variants;
};

const char* ToString(Status status);

std::string ToJson(const Spec& spec, const Results& results);
// Errors: kCorrupt.
Result<Results> ResultsFromJson(const std::string& text, const std::string& where);

// ---- what follows from the samples ----

enum class Verdict : uint8_t { kNone, kBaseline, kBetter, kTied, kWorse };
const char* ToString(Verdict verdict);

// The compared time of a sample.
double Value(const Sample& sample, Metric metric);

struct Comparison {
  Verdict verdict = Verdict::kNone;
  measure::Spread ns;     // a token
  measure::Spread ratio;  // to the baseline of the same round
};

// By the interval: better when all of it lies below 1 - at_least, worse when all of it lies above
// 1 + at_least, else tied. kNone: not measured, or the baseline was not.
Comparison Compare(const Spec& spec, const Results& results, const VariantResult& variant);

const VariantResult* Baseline(const Spec& spec, const Results& results);

// The median over rounds of one figure.
double Median(const VariantResult& variant, double Sample::*field);

// Rounds that every measurable variant has finished.
int RoundsDone(const Results& results);

}  // namespace headway::lab
