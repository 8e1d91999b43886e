#include "distributed/messages.h"

#include <algorithm>

namespace headway::distributed {
namespace {

// The numbers of a goal, without its lists.
struct GoalNumbers {
  int64_t keep;
  uint64_t seed;
  uint64_t position;
  double give_up;
  float margin;
  float at_least;
  float inverse_temperature;
  uint8_t has_at_least;
  uint8_t perturbed;
  uint8_t has_mask;
  uint8_t allows_some;
};

template <class T>
std::span<const T> Within(std::span<const int32_t> ids, std::span<const T> values,
                          const lmhead::RowRange& rows) {
  const auto begin = std::lower_bound(ids.begin(), ids.end(), rows.begin) - ids.begin();
  const auto end = std::lower_bound(ids.begin(), ids.end(), rows.end) - ids.begin();
  return values.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
}

template <class T>
void Assign(std::span<const T> from, std::vector<T>* to) {
  to->assign(from.begin(), from.end());
}

struct WordRange {
  size_t begin = 0;
  size_t end = 0;
};
WordRange WordsOf(const lmhead::RowRange& rows) {
  return {.begin = static_cast<size_t>(rows.begin / 64),
          .end = static_cast<size_t>((rows.end + 63) / 64)};
}

}  // namespace

std::vector<std::byte> Step::Encode() const {
  Writer writer;
  writer.Put(Work::kStep);
  writer.PutText(error);
  writer.Put(begin);
  writer.Put(end);
  writer.Put(num_tokens);
  writer.Put(num_tables);
  writer.PutList(changes);
  writer.PutList(rows);
  writer.PutList(states);
  writer.PutList(cos);
  writer.PutList(sin);
  writer.PutList(finite);
  writer.PutList(hidden);
  return writer.Take();
}

bool Step::Decode(Reader* reader) {
  error = reader->GetText();
  begin = reader->Get<int32_t>();
  end = reader->Get<int32_t>();
  num_tokens = reader->Get<int32_t>();
  num_tables = reader->Get<int32_t>();
  changes = reader->GetList<StateChange>();
  rows = reader->GetList<WireRow>();
  states = reader->GetList<uint64_t>();
  cos = reader->GetList<float>();
  sin = reader->GetList<float>();
  finite = reader->GetList<uint8_t>();
  hidden = reader->GetList<float>();
  return reader->Ok() && reader->AtEnd();
}

std::vector<std::byte> StepReply::Encode() const {
  Writer writer;
  writer.PutText(error);
  writer.PutList(finite);
  writer.PutList(hidden);
  return writer.Take();
}

bool StepReply::Decode(Reader* reader) {
  error = reader->GetText();
  finite = reader->GetList<uint8_t>();
  hidden = reader->GetList<float>();
  return reader->Ok() && reader->AtEnd();
}

void WireGoal::Point() {
  goal.changed = changed;
  goal.change = [this](int32_t id, float logit) {
    const auto found = std::lower_bound(changed.begin(), changed.end(), id);
    return found == changed.end() || *found != id
               ? logit
               : changed_logits[static_cast<size_t>(found - changed.begin())];
  };
  goal.allowed = allowed;
  goal.mask = mask;
  goal.known_ids = known;
  goal.known_logits = known_logits;
}

void WireGoal::Cut(const lmhead::SearchGoal& all, std::span<const float> logits_of_changed,
                   const lmhead::RowRange& rows, int64_t vocab_size) {
  goal = all;
  // A count of this rank's rows says nothing about all.
  goal.counting = false;
  Assign(Within(all.changed, all.changed, rows), &changed);
  Assign(Within(all.changed, logits_of_changed, rows), &changed_logits);
  allows_some = !all.allowed.empty();
  Assign(Within(all.allowed, all.allowed, rows), &allowed);
  Assign(Within(all.known_ids, all.known_ids, rows), &known);
  Assign(Within(all.known_ids, all.known_logits, rows), &known_logits);
  Assign(all.mask, &mask);
  // A list without a row of this range allows none, but an empty one would allow all: a mask does not.
  if (allows_some && allowed.empty()) mask.assign(static_cast<size_t>(vocab_size + 63) / 64, 0);
  Point();
}

void WireGoal::Encode(const lmhead::RowRange& rows, Writer* writer) const {
  writer->Put(GoalNumbers{.keep = goal.keep,
                          .seed = goal.seed,
                          .position = goal.position,
                          .give_up = goal.give_up,
                          .margin = goal.margin,
                          .at_least = goal.at_least.value_or(0.0F),
                          .inverse_temperature = goal.inverse_temperature,
                          .has_at_least = goal.at_least.has_value(),
                          .perturbed = goal.perturbed,
                          .has_mask = !mask.empty(),
                          .allows_some = allows_some});
  writer->PutList(changed);
  writer->PutList(changed_logits);
  writer->PutList(allowed);
  writer->PutList(known);
  writer->PutList(known_logits);
  if (mask.empty()) return;
  const WordRange words = WordsOf(rows);
  writer->PutList(std::span<const uint64_t>(mask).subspan(words.begin, words.end - words.begin));
}

bool WireGoal::Decode(const lmhead::RowRange& rows, int64_t vocab_size, Reader* reader) {
  const auto numbers = reader->Get<GoalNumbers>();
  goal = {};
  goal.keep = numbers.keep;
  goal.seed = numbers.seed;
  goal.position = numbers.position;
  goal.give_up = numbers.give_up;
  goal.margin = numbers.margin;
  goal.inverse_temperature = numbers.inverse_temperature;
  goal.perturbed = numbers.perturbed != 0;
  if (numbers.has_at_least != 0) goal.at_least = numbers.at_least;
  allows_some = numbers.allows_some != 0;
  changed = reader->GetList<int32_t>();
  changed_logits = reader->GetList<float>();
  allowed = reader->GetList<int32_t>();
  known = reader->GetList<int32_t>();
  known_logits = reader->GetList<float>();
  mask.clear();
  if (numbers.has_mask != 0) {
    const std::vector<uint64_t> words = reader->GetList<uint64_t>();
    const WordRange range = WordsOf(rows);
    mask.assign(static_cast<size_t>(vocab_size + 63) / 64, 0);
    if (words.size() != range.end - range.begin || range.end > mask.size()) return false;
    std::copy(words.begin(), words.end(), mask.begin() + static_cast<std::ptrdiff_t>(range.begin));
  }
  Point();
  return reader->Ok() && changed.size() == changed_logits.size() &&
         known.size() == known_logits.size();
}

}  // namespace headway::distributed
