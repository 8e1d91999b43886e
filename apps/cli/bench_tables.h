#pragma once

// The benchmarks behind `headway bench`. Each prints one table on stdout; every speed stands beside
// the bytes it moved, its share of the bandwidth measured in the same round, and a hash of the
// logits.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/open.h"
#include "lab/measure/bandwidth.h"

namespace headway::cli {

// One line of a table, for --json.
struct BenchRow {
  std::string table;
  std::string row;
  std::vector<std::pair<std::string, double>> figures;
  std::string logits_hash;  // empty where none is known
};

struct BenchSetting {
  int64_t tokens = 32;   // decoded tokens a round
  int64_t context = 16;  // tokens before them
  int rounds = 5;
  KvType kv = KvType::kF16;
  std::vector<BenchRow>* rows_or_null = nullptr;  // lines go there instead of stdout
};

// Read bandwidth with 1 to max_threads threads. Errors: kIo (threads that do not start).
Result<void> BenchMemory(int max_threads, const BenchSetting& setting);
// Decode steps: whole, layers, head.
Result<void> BenchChain(OpenedModel* model, const BenchSetting& setting,
                        measure::ReadBandwidth* bandwidth);
// Prompt processing at 128 and 512 tokens.
Result<void> BenchPrefill(OpenedModel* model, const BenchSetting& setting);
// A step of 1, 2, 4, 8 tokens, layers and head.
Result<void> BenchBatch(OpenedModel* model, const BenchSetting& setting);
// Steps of 1, 2, 4, 8 tokens with drafts that are right at 70 %, against plain decoding.
Result<void> BenchSpeculation(OpenedModel* model, const BenchSetting& setting);
// Prompt lookup against plain decoding on the continuation of a text, greedy or `sampled` at
// temperature 1. Fails when a token differs.
Result<void> BenchLookup(OpenedModel* model, const BenchSetting& setting,
                         const std::string& prompt_file, bool sampled);
// Every head of the package in turns.
Result<void> BenchHeads(OpenedModel* model, const BenchSetting& setting,
                        measure::ReadBandwidth* bandwidth);
// The certified head against the full head on hidden states whose winner stands that many sigma
// above the bulk (0: independent logits), or from a file of binary32 states before the norm. Fails
// when a token differs.
Result<void> BenchCertified(OpenedModel* model, const BenchSetting& setting,
                            const std::vector<double>& margins, const std::string& hidden,
                            bool sampled);
// A decode step after 128 to 16,384 tokens, against the bytes of their keys and values.
Result<void> BenchContext(OpenedModel* model, const BenchSetting& setting,
                          measure::ReadBandwidth* bandwidth);
// Selection over the whole vocabulary: greedy against sampling.
Result<void> BenchSampling(OpenedModel* model, const BenchSetting& setting);

}  // namespace headway::cli
