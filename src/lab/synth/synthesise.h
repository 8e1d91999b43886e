#pragma once

// Makes model files of real shapes with synthetic weights, for benchmarks and tests that must not
// depend on a download. Same spec, same bytes, on every machine and with any number of threads.

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace headway::synth {

struct SynthSpec {
  std::string shape;          // "phi4-mini", see lab/synth/model_shape.h
  std::string type = "q8_0";  // "q4_k_m", see lab/synth/type_mix.h; upper or lower case
  uint64_t seed = 0;
  bool pure = false;  // every matrix in the base type, instead of llama.cpp's mix
  // "f16": the type of the head's matrix (of a tied embedding), as files have that were trained for
  // 4 bits; "": as the mix has it.
  std::string head_type = {};
  // Files of the model; from 2 on `path` is NAME.gguf and the files are NAME-00001-of-0000N.gguf ...
  // (gguf/split.h), of about the same size.
  int64_t parts = 1;
  // An untied head whose winner stands about this many standard deviations above the bulk of the
  // logits, for the model's own final hidden states: after token t, Successor(t) wins. See
  // PlanTensors.
  std::optional<double> margin_sigma = std::nullopt;
  // An untied head with no more than this number of different rows, which follow each other again
  // and again: ties that no screening can tell apart. 0: all are different. Not with a margin.
  int64_t distinct_rows = 0;
  int num_threads = 1;
  // Set by a signal handler or another thread: writing stops and leaves nothing behind.
  const std::atomic<bool>* cancelled_or_null = nullptr;
};

// Called from the calling thread after every few MiB; may be empty.
using SynthProgress = std::function<void(uint64_t bytes_done, uint64_t bytes_total)>;

// Writes the file or files; they appear when complete. Memory: the metadata and a few MiB, whatever the
// model's size. Errors: kInvalidInput (unknown shape or type: the message lists what there is;
// parts),
// kUnsupported (margin), kIo, kCancelled.
Result<void> Synthesise(const SynthSpec& spec, const std::string& path,
                        const SynthProgress& progress);

}  // namespace headway::synth
