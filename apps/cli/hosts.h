#pragma once

// --hosts: this process is one of several ranks that run a model together (docs/distributed.md).

#include <cstdint>
#include <memory>
#include <string>

#include "arguments.h"
#include "distributed/cluster.h"
#include "headway/engine.h"

namespace headway::cli {

// What a step cost the network, by count and by prediction; of no ranks: nothing to say.
struct HostsReport {
  int ranks = 0;
  int layers = 0;
  int head = 0;
  uint64_t steps = 0;
  distributed::Traffic counted = {};    // in all
  distributed::Traffic predicted = {};  // of a step
};

// Rank 0's hold on the others, entered into `options`, from which the model is opened; null: no
// --hosts. Every other rank works in here until there is no more work, and ends the process. Errors:
// kInvalidInput, kUnsupported, kIo.
Result<std::shared_ptr<distributed::Cluster>> JoinHosts(const HostsArguments& arguments,
                                                        const std::string& model,
                                                        EngineOptions* options);

// Counts what decoding costs: Start() with the first token, Finish() after the last.
class HostsMeter {
 public:
  explicit HostsMeter(std::shared_ptr<distributed::Cluster> cluster_or_null)
      : cluster_(std::move(cluster_or_null)) {}
  void Start();
  Result<HostsReport> Finish(const ModelSummary& model, uint64_t steps);

 private:
  const std::shared_ptr<distributed::Cluster> cluster_;
  bool started_ = false;
  Result<distributed::Traffic> before_ = distributed::Traffic{};
};

// "hosts    4 ranks (layers 2, head 4): ..."
std::string HostsLine(const HostsReport& report);

}  // namespace headway::cli
