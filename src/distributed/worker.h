#pragma once

// What every rank but 0 does: loads its shards, then answers rank 0 until there is no more work.

#include <memory>
#include <string>

#include "base/result.h"
#include "distributed/link.h"
#include "headway/load_weights.h"

namespace headway::distributed {

struct WorkerOptions {
  // The package on this host, or why there is none: rank 0 says so.
  Result<std::string> directory;
  int threads = 0;
  std::string instruction_set = {};
  LoadWeights load = LoadWeights::kAuto;
};

// How a worker's work ended. False: rank 0 could not open the model, and says why.
struct WorkerEnd {
  bool had_work = true;
};

// Errors: kIo, naming the rank that is lost.
Result<WorkerEnd> RunWorker(Link* link, const WorkerOptions& options);

}  // namespace headway::distributed
