#pragma once

// Ranks in one process, for tests: a queue each.

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "distributed/transport.h"

namespace headway::distributed {

// What the ranks share. Must outlive their ends.
class LocalHub {
 public:
  explicit LocalHub(int num_ranks);
  // The end of a rank; each once.
  std::unique_ptr<Transport> EndOf(int rank);
  // From now on nothing reaches that rank, and nothing comes from it.
  void Silence(int rank);

 private:
  friend class LocalTransport;
  struct Letter {
    Channel channel;
    Message message;
  };
  // The largest of the values of one round; rounds follow each other.
  struct Round {
    int joined = 0;
    int left = 0;
    float largest = 0.0F;
  };

  std::mutex mutex_;
  std::vector<std::deque<Letter>> boxes_;
  std::vector<bool> silent_;
  int group_size_ = 0;
  std::deque<Round> rounds_;
  size_t first_round_ = 0;  // number of rounds_.front()
};

}  // namespace headway::distributed
