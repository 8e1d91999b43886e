#pragma once

// Runs an experiment: packs what is missing, gates, measures in turns, writes the report. Whatever
// is done is kept in the directory; the same call goes on from there.

#include <atomic>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/results.h"
#include "lab/spec.h"

namespace headway::lab {

struct RunOptions {
  std::string directory;
  std::string model;    // instead of the specification's; empty: its own
  std::string machine;  // how the report calls this machine; empty: what the system says
  bool show_progress = true;
  const std::atomic<bool>* cancelled_or_null = nullptr;
};

struct ExperimentReport {
  Results results;
  std::vector<std::string> findings;  // sentences
  std::string entry;                  // paths of the files written
  std::string page;
};

// `spec_path` is a specification. Errors: those of the specification and the model; kCancelled with
// what was kept.
Result<ExperimentReport> RunExperiment(const std::string& spec_path, const RunOptions& options);

}  // namespace headway::lab
