#pragma once

// Makes goldens from a model file: the oracle layer by layer and product by product, and the
// straight-line reference beside it. About a second for the model in the box, half a minute for the
// Phi-4-mini shape on two cores.

#include <atomic>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/devices.h"
#include "gguf/gguf_file.h"
#include "manifest/goldens.h"
#include "truth/oracle/oracle.h"

namespace headway::pack {

struct GoldenOptions {
  std::string device = kDefaultDevice;  // RecordInto and AddGoldens take the package's own
  std::string reference = {};  // GGUF that these hold it against in quality; empty: the model file
  int64_t max_tokens = 0;      // positions compared; 0: what PositionsFor() says
  int64_t most_tokens = 0;     // that the package's caches hold, less one; 0: as the model
  bool show_progress = false;
  const std::atomic<bool>* cancelled_or_null = nullptr;
  // Rows of layers and head as the package's shards store them; empty: as `packed` has them.
  oracle::WeightReader stored = nullptr;
};

// Positions to compare for a model of that many weights: 64, fewer for large models so that the
// double-precision sums stay below 4e10 (half a minute), at least 8.
int64_t PositionsFor(int64_t num_weights);

// The golden text in the model's tokens: at most `num_tokens`, and what caches and rotary factors
// allow.
Result<std::vector<int32_t>> GoldenIds(const gguf::GgufFile& file, const ModelConfig& config,
                                       int64_t num_tokens, int64_t most_tokens);

// `packed` is what the package's shards are made from, `reference` what the quality gate holds them
// against: the same file, except in tests. Errors: those of reading the model; kCancelled.
Result<Goldens> MakeGoldens(const gguf::GgufFile& packed, const gguf::GgufFile& reference,
                            const GoldenOptions& options);

// Makes the goldens of the GGUF at `gguf_path`, writes them into `directory` and enters them in
// `manifest`, of which the gates' results go.
Result<void> RecordInto(const std::string& gguf_path, const std::string& directory,
                        const GoldenOptions& options, Manifest* manifest);

// Adds goldens to an existing package. Errors: as above; kInvalidInput when `gguf_path` is not the
// file the package was made from.
Result<void> AddGoldens(const std::string& gguf_path, const std::string& directory,
                        const GoldenOptions& options);

}  // namespace headway::pack
