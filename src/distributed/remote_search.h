#pragma once

// A search of the ranks that have a part of a certified head, each among its own rows with its own
// planes. They meet twice: once for a threshold, the largest value that any of them has computed,
// and at the end, when rank 0 gathers the rows that are left.

#include <cstdint>
#include <span>
#include <vector>

#include "distributed/link.h"
#include "distributed/messages.h"
#include "distributed/remote_head.h"
#include "lmhead/row_search.h"

namespace headway::distributed {

// The ranks' common threshold.
class Exchange final : public lmhead::OtherSearches {
 public:
  explicit Exchange(Link* link) : link_(*link) {}
  float Largest(float mine) noexcept override;

 private:
  friend class OneExchange;
  Link& link_;
  bool done_ = false;
};

// While it lives the threshold is asked for exactly once, whatever becomes of the search, also when
// it never begins: else the others would wait. Null: nobody is asked.
class OneExchange {
 public:
  explicit OneExchange(Exchange* exchange_or_null);
  OneExchange(const OneExchange&) = delete;
  OneExchange& operator=(const OneExchange&) = delete;
  ~OneExchange();

 private:
  Exchange* const exchange_;
};

// What a search says of one question, as it goes over the wire.
struct WireEvidence {
  uint64_t rows_screened = 0;
  uint64_t rows_refined = 0;
  uint64_t rows_three_bits = 0;
  uint64_t rows_exact = 0;
  uint64_t strips_exact = 0;
  uint64_t bytes_read = 0;
  double mass = 0.0;  // BoundRest(): of the rest
  float theta = 0.0F;
  uint8_t decided = 0;
};
WireEvidence ToWire(const lmhead::SearchEvidence& evidence, double mass);

class RemoteSearch final : public lmhead::RowSearch {
 public:
  // `group` must outlive the search.
  RemoteSearch(HeadGroup* group, int64_t max_states);

  int64_t MaxStates() const override { return max_states_; }
  Result<void> Begin(const float* hidden, int64_t num_states,
                     std::span<const lmhead::ScreenDemand> demands) override;
  lmhead::SearchEvidence Decide(int64_t state, const lmhead::SearchGoal& goal) noexcept override;
  lmhead::SearchEvidence BoundRest(float best, double room) noexcept override;
  double MassOfRest(float best) noexcept override;
  lmhead::SearchEvidence Evaluate(int64_t state, std::span<const int32_t> rows) noexcept override;
  std::span<const lmhead::Candidate> Found() const override { return found_; }
  int64_t ScreenBytes() const override { return screen_bytes_; }
  bool IsFew(int64_t num_rows) const override;

 private:
  struct Answer {
    lmhead::SearchEvidence evidence;
    double mass = 0.0;
  };
  void PutBeginning(Writer* writer) const;
  void Enter(const WireEvidence& part, Answer* answer) const;
  // What the parts of a divided head meet by; null: there is one part.
  Exchange* Others() { return group_.Parts() > 1 ? &exchange_ : nullptr; }
  // Asks all parts; `put` writes what is asked of one, `own` answers for rank 0's.
  template <class Put, class OwnWork>
  Answer Ask(Work work, const Put& put, const OwnWork& own, bool gathers);

  HeadGroup& group_;
  const int64_t max_states_;
  const int64_t screen_bytes_;
  Exchange exchange_;
  WireGoal own_goal_;
  // Of Begin(): told to the ranks with the first question, which saves a message.
  std::vector<float> hidden_;
  std::vector<lmhead::ScreenDemand> demands_;
  bool told_ = true;
  double mass_ = 0.0;
  std::vector<lmhead::Candidate> found_;
};

}  // namespace headway::distributed
