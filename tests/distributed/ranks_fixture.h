#pragma once

// Ranks as threads of one process, for tests of the protocol without MPI.

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "distributed/cluster.h"
#include "distributed/local_transport.h"
#include "distributed/worker.h"
#include "model_fixture.h"

namespace headway::distributed {

// A model that several ranks run.
class Ranks {
 public:
  // Every rank opens `directories[rank]`, or the first where there are fewer.
  Ranks(const std::string& hosts, int num_ranks, std::vector<std::string> directories,
        const std::string& head, std::chrono::milliseconds timeout = std::chrono::seconds(60));
  ~Ranks();

  // Null: see Problem().
  OpenedModel* Model() { return model_.get(); }
  const std::string& Problem() const { return problem_; }
  Cluster& GetCluster() { return *cluster_; }
  void Silence(int rank) { hub_.Silence(rank); }
  // Waits for the workers; what each of them said, "" where all was well.
  std::vector<std::string> End();

 private:
  LocalHub hub_;
  std::shared_ptr<Cluster> cluster_;
  std::unique_ptr<OpenedModel> model_;
  std::string problem_;
  std::vector<std::string> said_;
  std::vector<std::thread> workers_;
};

}  // namespace headway::distributed
