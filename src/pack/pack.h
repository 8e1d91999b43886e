#pragma once

// Makes packages: GGUF -> graph -> cuts -> emitter -> shards; the states that a certified head
// learns from and the goldens, for which the engine runs what is packed so far.

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "device/emitter.h"
#include "kernels/plane_layout.h"
#include "manifest/goldens.h"
#include "manifest/manifest.h"
#include "pack/record_goldens.h"

namespace headway::pack {

struct PackOptions {
  std::string topology = "6";  // graph::ParseTopology
  // The first becomes the default. "auto", alone: full:4, before it a certified head where one is
  // expected to pay (pack/auto_head.h).
  std::vector<std::string> heads = {"full:4"};
  // Decides the rotation of a certified head, for reproduction only; else 256 bits from the
  // operating system (docs/certified_head.md says why).
  std::optional<uint64_t> rotation_seed = std::nullopt;
  // Common directions that a certified head may take (docs/certified_head.md).
  int64_t most_directions = kernels::kMaxDirections;
  // A text in the manner of those to come: the tokens that it uses most are the first rows of a
  // reduced head (empty: the lowest ids), and heads with planes learn from it, too.
  std::string usage_text = {};
  int threads = 0;  // that read a text and build the planes of a certified head; 0: all processors
  // Programs made of each shard, for devices whose programs have a fixed width; the first is the
  // one for decoding.
  std::vector<StepWidth> widths = {StepWidth{}};
  int64_t max_seq = 0;  // longest sequence; 0: the device's default, at most the model's context
  std::string source_digest = {};  // of the whole model file, where it is known; empty: read it
  bool replace = false;            // an existing package at the target, and nothing but a package
  bool for_owner_only = false;     // nobody else may write into the directory, whatever the umask
  bool show_progress = false;
  ProgressListener progress = nullptr;  // hears of packing and of what a certified head learns
  // Said on stderr once the request is known to be good, before the first byte is written.
  std::string announcement = {};
  // Recorded from the model file, or ready-made; neither: the package has none.
  std::optional<GoldenOptions> goldens = std::nullopt;
  const Goldens* goldens_or_null = nullptr;
  // Set by a signal handler or another thread: packing stops at the next weight.
  const std::atomic<bool>* cancelled_or_null = nullptr;
};

// Packs `gguf_path` into the new directory `directory`, which appears whole or not at all. Weights
// are streamed: memory use does not grow with the model (a certified head's planes are held until
// they are written: 0.4 bytes a weight of the head). Errors: those of reading the GGUF;
// kInvalidInput (topology, heads, target exists); kUnsupported (a head kind that does not exist
// yet, a width where the device has none); kIo (disk full); kCancelled. A failure leaves nothing; a
// pack that was killed is picked up by the next one with the same request, shard by shard.
Result<Manifest> Pack(const std::string& gguf_path, const std::string& directory,
                      const PackOptions& options, Emitter* emitter);

// "headway 0.1.0": what manifests name as their producer.
std::string ProducerText();

inline constexpr int64_t kMaxStepTokens = 64;

// "1,4" and "1..4": how --batch-tokens names the widths that programs are made for. Empty text: one
// token a step. Errors: kInvalidInput (no number from 1 to kMaxStepTokens, a width
// twice).
Result<std::vector<StepWidth>> ParseStepWidths(const std::string& text);

}  // namespace headway::pack
