#pragma once

// The gates of a package (docs/gates.md): residency, and golden in its two halves, arithmetic and
// quality. The package's shards run on this machine as they would in `headway run`.

#include <memory>
#include <string>

#include "base/result.h"
#include "engine/open.h"
#include "gates/report.h"
#include "manifest/goldens.h"

namespace headway::gates {

struct GateOptions {
  bool residency = true;
  bool golden = true;
  bool q8_kv = true;   // golden: sessions with keys and values in Q8_0, too, where there are any
  bool record = true;  // the results in the package's manifest
  int threads = 0;
  std::string instruction_set = {};
  std::string compute_units = {};  // EngineOptions::compute_units
  std::string head = {};           // only this kind; empty: all heads of the package
};

// Opens DIRECTORY, comparing every file with its digest, and runs the gates. That a gate fails is a
// result, not an error. Errors: those of opening; kNotFound when the golden gate is asked for and
// the package holds no goldens.
Result<GateReport> RunGates(const std::string& directory, const GateOptions& options);

// The same on a package that is open already; records nothing. `goldens_or_null` is needed for the
// golden gate only.
Result<GateReport> RunGatesOn(OpenedModel* model, const GateOptions& options,
                              const Goldens* goldens_or_null);

// What `run` asks before it starts a session with keys and values of that type. Errors:
// kGateFailed, naming the gate, when one failed that concerns it. True when the package was gated
// for it.
Result<bool> CheckRecords(const Manifest& manifest, const std::string& directory, KvType kv);

}  // namespace headway::gates
