#pragma once

// The head shards of a worker, at work.

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "distributed/head_part.h"
#include "distributed/link.h"
#include "distributed/messages.h"
#include "distributed/remote_search.h"

namespace headway::distributed {

class WorkerHead {
 public:
  // `link` and `pool` must outlive this object.
  WorkerHead(Link* link, LoadedHead loaded, const ModelConfig& model, ThreadPool* pool,
             const kernels::KernelSet& kernels)
      : link_(*link),
        part_(std::move(loaded), model, pool, kernels),
        channels_(static_cast<size_t>(model.hidden_size)),
        exchange_(link) {}

  // Does what rank 0 asks, and replies. Errors: those of Link; all others go to rank 0.
  Result<void> Answer(Work work, Reader* reader);

 private:
  // As RemoteSearch::Others().
  Exchange* Others() { return link_.GetHosts().HeadParts() > 1 ? &exchange_ : nullptr; }
  Result<void> Best(Reader* reader, Writer* reply);
  Result<void> Logits(Reader* reader, Writer* reply);
  Result<void> Search(Work work, Reader* reader, Writer* reply);

  Link& link_;
  HeadPart part_;
  const size_t channels_;
  Exchange exchange_;
  WireGoal goal_;              // of the last kDecide, which BoundRest() goes on with
  std::vector<float> hidden_;  // of the search, or of the one question
};

}  // namespace headway::distributed
