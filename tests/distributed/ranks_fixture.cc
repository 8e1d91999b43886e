#include "ranks_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace headway::distributed {

Ranks::Ranks(const std::string& hosts, int num_ranks, std::vector<std::string> directories,
             const std::string& head, std::chrono::milliseconds timeout)
    : hub_(num_ranks), said_(static_cast<size_t>(num_ranks)) {
  const auto placed = Hosts::Parse(hosts, num_ranks);
  EXPECT_TRUE(placed) << placed.error().message;
  if (!placed) return;
  const auto directory_of = [directories](int rank) {
    return directories[std::min(static_cast<size_t>(rank), directories.size() - 1)];
  };
  for (int rank = 1; rank < num_ranks; ++rank) {
    workers_.emplace_back([=, this] {
      auto link = Link::Open(hub_.EndOf(rank), *placed, timeout);
      const auto end = RunWorker(link->get(), {.directory = directory_of(rank), .threads = 1});
      if (!end) said_[static_cast<size_t>(rank)] = end.error().message;
    });
  }
  auto link = Link::Open(hub_.EndOf(0), *placed, timeout);
  cluster_ = std::make_shared<Cluster>(*std::move(link));
  EngineOptions options;
  options.threads = 1;
  options.head = head;
  options.placement = cluster_;
  auto model = OpenPackage(directory_of(0), options);
  if (model) {
    model_ = *std::move(model);
  } else {
    problem_ = model.error().message;
  }
}

Ranks::~Ranks() { End(); }

std::vector<std::string> Ranks::End() {
  model_.reset();
  cluster_.reset();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  return said_;
}

}  // namespace headway::distributed
