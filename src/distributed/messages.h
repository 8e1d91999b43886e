#pragma once

// What ranks say to each other, byte by byte as wire.h writes it. Work goes from rank 0 to workers,
// and a step of the layers on from rank to rank; replies go to rank 0.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "device/remote_head.h"
#include "distributed/wire.h"
#include "headway/kv_type.h"
#include "lmhead/candidates.h"
#include "lmhead/search.h"

namespace headway::distributed {

// The first byte of everything on the channel for work.
enum class Work : uint8_t {
  kAssign,     // which shards are whose; once
  kStop,       // a text: why, or empty
  kStep,       // Step
  kLogits,     // of head shards
  kBest,       // of all rows
  kDecide,     // searches, and what belongs to them
  kEvaluate,   //
  kBoundRest,  //
  kTraffic,    // what the rank has sent
};

// What becomes of the keys and values of a conversation in one layer shard; its state has a number.
enum class StateOp : uint8_t { kNew, kFree, kShare, kKeep, kFill };
struct StateChange {
  StateOp op = StateOp::kNew;
  KvType kv = KvType::kF16;
  int32_t shard = 0;
  uint64_t state = 0;
  uint64_t other = 0;     // of kShare
  int64_t positions = 0;  // the capacity of a new one
};

struct WireRow {
  int64_t first_position = 0;
  int64_t num_tokens = 0;
};

// A step of layer shards [begin, end): on its way the hidden states change, and what is noted of the
// shards that have run. The changes come first, in order, also when an earlier rank has failed.
struct Step {
  std::string error = {};
  int32_t begin = 0;
  int32_t end = 0;
  std::vector<StateChange> changes = {};
  std::vector<WireRow> rows = {};
  std::vector<uint64_t> states = {};  // [shards, rows]
  int32_t num_tokens = 0;             // T
  int32_t num_tables = 0;
  std::vector<float> cos = {};       // [tables, T, pairs]
  std::vector<float> sin = {};       //
  std::vector<uint8_t> finite = {};  // [shards, T]: whether a shard's output is
  std::vector<float> hidden = {};    // [T, D]

  std::vector<std::byte> Encode() const;
  // Behind the first byte. False: not a step.
  bool Decode(Reader* reader);
};

// What comes back of a step.
struct StepReply {
  std::string error = {};
  std::vector<uint8_t> finite = {};
  std::vector<float> hidden = {};

  std::vector<std::byte> Encode() const;
  bool Decode(Reader* reader);
};

// A search's goal as a rank needs it: rows of its range alone, and changed logits as numbers, since
// what changes them stays on rank 0.
struct WireGoal {
  lmhead::SearchGoal goal = {};  // its lists are those below
  std::vector<int32_t> changed = {};
  std::vector<float> changed_logits = {};
  std::vector<int32_t> allowed = {};
  bool allows_some = false;         // `allowed` counts, also when it is empty
  std::vector<uint64_t> mask = {};  // of the vocabulary; zero outside of the range
  std::vector<int32_t> known = {};
  std::vector<float> known_logits = {};

  WireGoal() = default;
  WireGoal(const WireGoal&) = delete;  // the goal points into the lists
  WireGoal& operator=(const WireGoal&) = delete;

  // The part of `all` for rows [begin, end); `changed_logits`: one for each of all.changed.
  void Cut(const lmhead::SearchGoal& all, std::span<const float> logits_of_changed,
           const lmhead::RowRange& rows, int64_t vocab_size);
  void Encode(const lmhead::RowRange& rows, Writer* writer) const;
  bool Decode(const lmhead::RowRange& rows, int64_t vocab_size, Reader* reader);

 private:
  void Point();
};

}  // namespace headway::distributed
