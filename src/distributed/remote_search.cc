#include "distributed/remote_search.h"

#include <algorithm>
#include <limits>

namespace headway::distributed {

float Exchange::Largest(float mine) noexcept {
  done_ = true;
  const Result<float> largest = link_.Largest(mine);
  // A rank is lost: what comes of this search nobody will see.
  return largest ? *largest : mine;
}

OneExchange::OneExchange(Exchange* exchange_or_null) : exchange_(exchange_or_null) {
  if (exchange_ != nullptr) exchange_->done_ = false;
}

OneExchange::~OneExchange() {
  if (exchange_ != nullptr && !exchange_->done_)
    exchange_->Largest(-std::numeric_limits<float>::infinity());
}

WireEvidence ToWire(const lmhead::SearchEvidence& evidence, double mass) {
  return {.rows_screened = evidence.rows_screened,
          .rows_refined = evidence.rows_refined,
          .rows_three_bits = evidence.rows_three_bits,
          .rows_exact = evidence.rows_exact,
          .strips_exact = evidence.strips_exact,
          .bytes_read = evidence.bytes_read,
          .mass = mass,
          .theta = evidence.theta,
          .decided = evidence.decided};
}

RemoteSearch::RemoteSearch(HeadGroup* group, int64_t max_states)
    : group_(*group),
      max_states_(max_states),
      screen_bytes_(group->ScreenBytes()),
      exchange_(&group->GetLink()) {}

Result<void> RemoteSearch::Begin(const float* hidden, int64_t num_states,
                                 std::span<const lmhead::ScreenDemand> demands) {
  hidden_.assign(hidden, hidden + num_states * group_.Channels());
  demands_.assign(demands.begin(), demands.end());
  told_ = false;
  return group_.GetLink().CheckLost();
}

void RemoteSearch::PutBeginning(Writer* writer) const {
  writer->Put<uint8_t>(told_ ? 0 : 1);
  if (told_) return;
  writer->PutList(demands_);
  writer->PutList(hidden_);
}

void RemoteSearch::Enter(const WireEvidence& part, Answer* answer) const {
  lmhead::SearchEvidence& all = answer->evidence;
  all.decided = all.decided && part.decided != 0;
  all.theta = std::max(all.theta, part.theta);
  all.rows_screened += part.rows_screened;
  all.rows_refined += part.rows_refined;
  all.rows_three_bits += part.rows_three_bits;
  all.rows_exact += part.rows_exact;
  all.strips_exact += part.strips_exact;
  all.bytes_read += part.bytes_read;
  answer->mass += part.mass;
}

template <class Put, class OwnWork>
RemoteSearch::Answer RemoteSearch::Ask(Work work, const Put& put, const OwnWork& own,
                                       bool gathers) {
  Answer answer;
  answer.evidence.decided = true;
  answer.evidence.theta = -std::numeric_limits<float>::infinity();
  std::vector<lmhead::Candidate> found;
  const auto asked = group_.Ask(
      "a search of the head",
      [&](const HeadGroup::Part& part) {
        Writer writer;
        writer.Put(work);
        PutBeginning(&writer);
        put(part, &writer);
        return writer.Take();
      },
      [&](HeadPart* part) -> Result<void> {
        const OneExchange one(work == Work::kDecide ? Others() : nullptr);
        HW_TRY(LocalSearch* const search, part->Search(max_states_));
        if (!told_) {
          const auto count = static_cast<int64_t>(hidden_.size()) / group_.Channels();
          HW_TRY_VOID(search->Begin(hidden_.data(), count, demands_));
        }
        Enter(own(search), &answer);
        if (gathers) found.assign(search->Found().begin(), search->Found().end());
        return {};
      },
      [&](const HeadGroup::Part&, Reader* reader) {
        Enter(reader->Get<WireEvidence>(), &answer);
        if (!gathers) return true;
        const auto more = reader->GetList<lmhead::Candidate>();
        found.insert(found.end(), more.begin(), more.end());
        return true;
      });
  told_ = true;
  if (gathers) found_ = std::move(found);
  // What is wrong with the ranks, the full head finds again and reports.
  if (!asked) answer.evidence.decided = false;
  return answer;
}

lmhead::SearchEvidence RemoteSearch::Evaluate(int64_t state,
                                              std::span<const int32_t> rows) noexcept {
  const auto within = [&](const lmhead::RowRange& range) {
    const auto begin = std::lower_bound(rows.begin(), rows.end(), range.begin);
    return std::span<const int32_t>(begin, std::lower_bound(begin, rows.end(), range.end));
  };
  return Ask(
             Work::kEvaluate,
             [&](const HeadGroup::Part& part, Writer* writer) {
               writer->Put(state);
               writer->PutList(within(part.rows));
             },
             [&](LocalSearch* search) {
               return ToWire(search->Evaluate(state, within(group_.Own()->Rows())), 0.0);
             },
             true)
      .evidence;
}

// Changed logits first, which only rank 0 can change, and which all ranks compare with.
lmhead::SearchEvidence RemoteSearch::Decide(int64_t state,
                                            const lmhead::SearchGoal& goal) noexcept {
  std::vector<float> changed;
  lmhead::SearchEvidence before;
  if (!goal.changed.empty()) {
    before = Evaluate(state, goal.changed);
    if (!before.decided || found_.size() != goal.changed.size()) return {.decided = false};
    for (const lmhead::Candidate& row : found_) changed.push_back(goal.change(row.id, row.logit));
  }
  Answer answer = Ask(
      Work::kDecide,
      [&](const HeadGroup::Part& part, Writer* writer) {
        writer->Put(state);
        WireGoal cut;
        cut.Cut(goal, changed, part.rows, group_.VocabSize());
        cut.Encode(part.rows, writer);
      },
      [&](LocalSearch* search) {
        own_goal_.Cut(goal, changed, group_.Own()->Rows(), group_.VocabSize());
        own_goal_.goal.others = Others();
        return ToWire(search->Decide(state, own_goal_.goal), 0.0);
      },
      true);
  answer.evidence.strips_exact += before.strips_exact;
  answer.evidence.bytes_read += before.bytes_read;
  return answer.evidence;
}

lmhead::SearchEvidence RemoteSearch::BoundRest(float best, double room) noexcept {
  const double share = room / group_.Parts();
  const Answer answer = Ask(
      Work::kBoundRest,
      [&](const HeadGroup::Part&, Writer* writer) {
        writer->Put(best);
        writer->Put(share);
      },
      [&](LocalSearch* search) {
        const lmhead::SearchEvidence evidence = search->BoundRest(best, share);
        return ToWire(evidence, search->MassOfRest(best));
      },
      false);
  mass_ = answer.mass;
  return answer.evidence;
}

double RemoteSearch::MassOfRest(float /*best*/) noexcept { return mass_; }

bool RemoteSearch::IsFew(int64_t num_rows) const {
  const int64_t full = group_.WeightBytes();
  return lmhead::AreFew(num_rows, full * kRowBlock / group_.VocabSize(), full);
}

}  // namespace headway::distributed
