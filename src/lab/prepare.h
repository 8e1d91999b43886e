#pragma once

// Packages for the variants of an experiment, and their gates. Inside this folder only.

#include <atomic>
#include <string>

#include "base/result.h"
#include "lab/results.h"
#include "lab/spec.h"

namespace headway::lab {

struct Workshop {
  std::string directory;  // the experiment's
  std::string model;      // the GGUF
  std::string model_digest;
  bool show_progress = true;
  const std::atomic<bool>* cancelled_or_null = nullptr;
};

// Where the variant's package is or will be. Variants that differ in head, threads or (on devices
// that do not care) batch width share one.
std::string PackageOf(const Workshop& workshop, const VariantSpec& variant);

// Whether this build can make the variant: empty, or why not.
std::string ReasonAgainst(const VariantSpec& variant);

// Makes the packages that are missing or lack a head. A variant that cannot be packed gets
// kNotAvailable and the reason. Errors: kCancelled, kIo, those of the model file.
Result<void> PackMissing(const Workshop& workshop, Results* results);

// Gates one variant: sets status, reason, gates and shards. Errors: as above.
Result<void> GateVariant(const Workshop& workshop, const Spec& spec, VariantResult* variant);

}  // namespace headway::lab
