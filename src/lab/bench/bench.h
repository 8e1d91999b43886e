#pragma once

// The benchmarks behind `headway bench`: every speed stands beside the bytes it moved, its share of
// the bandwidth measured in the same round, and a hash of the logits.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/open.h"

namespace headway::lab {

// One number of a row. Shown in a table where there is text for it, kept in JSON where it has a
// name; text alone when there is no value.
struct BenchFigure {
  std::string name;
  std::optional<double> value;
  std::string shown;
};

struct BenchRow {
  std::string name;
  std::vector<BenchFigure> figures;
};

struct BenchTable {
  std::string name;                  // "head"
  std::string title;                 // what, of which model, by which machine code
  std::vector<std::string> columns;  // above the rows' names and their shown figures
  std::vector<BenchRow> rows;
  std::string note;  // below the rows; may be empty
};

struct BenchRequest {
  std::string what;      // "chain", "all", ...
  int64_t tokens = 32;   // decoded tokens a round
  int64_t context = 16;  // tokens before them
  int rounds = 5;
  int threads = 0;  // of "memory"; 0: all processors
  KvType kv = KvType::kF16;
  // "head": the certified head against the full head on hidden states whose winner stands that many
  // sigma above the bulk (0: independent logits), or on those of a file, binary32 before the norm.
  std::vector<double> margins = {};
  std::string hidden = {};
  // "speculate": prompt lookup on the continuation of this text.
  std::string prompt_file = {};
  bool sampled = false;  // these two at temperatures above 0, too

  bool IsOfCertifiedHead() const { return what == "head" && (!margins.empty() || !hidden.empty()); }
  bool NeedsModel() const { return what != "memory"; }
};

// Errors: kInvalidInput (no such benchmark; numbers below 1; `sampled` without what samples).
Result<void> CheckBench(const BenchRequest& request);

// Runs what a good request asks for and hands each table to `show` when it is complete. `model` may
// be null when none is needed. Errors: those of sessions; kCorrupt, kGateFailed when a way that
// must give the tokens of another does not.
Result<void> RunBench(const BenchRequest& request, OpenedModel* model,
                      const std::function<void(const BenchTable&)>& show);

}  // namespace headway::lab
