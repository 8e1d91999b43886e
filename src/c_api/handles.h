#pragma once

// What stands behind the C API's handles. An engine lives as long as anything made with it; its
// executor runs one thing at a time, under the opened model's mutex. Inside this folder only.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "base/result.h"
#include "engine/open.h"
#include "engine/row_drafts.h"
#include "engine/sequence.h"
#include "engine/speculator.h"
#include "engine/stop_matcher.h"
#include "grammar/automaton.h"
#include "grammar/token_trie.h"
#include "headway/headway.h"
#include "tokenizer/stream_decoder.h"

namespace headway::c_api {

struct SharedModel {
  std::unique_ptr<OpenedModel> model;
  std::shared_ptr<const grammar::TokenTrie> trie = {};  // made when a grammar needs it
};

// Errors: kInvalidInput, inside a function that the API called, whose thread has the executor.
Result<void> CheckOutside();
// The engine's executor is the caller's until the lock goes. Errors: as CheckOutside.
Result<std::unique_lock<std::mutex>> LockModel(const SharedModel& shared);

// While one lives, its thread runs a function of the caller's.
class CallbackMark {
 public:
  CallbackMark();
  CallbackMark(const CallbackMark&) = delete;
  CallbackMark& operator=(const CallbackMark&) = delete;
  ~CallbackMark();

 private:
  const bool outer_;  // there was one already
};

// Errors: kInvalidInput, when the handle is null.
Result<std::shared_ptr<SharedModel>> ModelOf(const headway_engine* engine);
std::shared_ptr<std::atomic<bool>> FlagOf(const headway_cancel* cancel_or_null);

// Tells a function of the caller's; null: nobody.
using ProgressFunction = void (*)(void* user, const char* work, int64_t done, int64_t total);
std::function<void(const char*, int64_t, int64_t)> ProgressOf(ProgressFunction progress_or_null,
                                                              void* user);

headway_certificate CertificateOf(const Certificate& certificate);
headway_counters CountersOf(const Counters& counters);
// Of a HEADWAY_..._NS constant. Errors: kInvalidInput (another number).
Result<std::span<const uint64_t>> TimesOf(const Counters& counters, int32_t which);
// Of HEADWAY_DRAFTED and its like. Errors: kInvalidInput (another number).
Result<std::span<const uint64_t>> NgramsOf(const SpeculationCounters& speculation,
                                           const SpeculationCounters& probe, int32_t which);
void AddProbe(const SpeculationCounters& probe, headway_counters* out);

}  // namespace headway::c_api

// NOLINTBEGIN(readability-identifier-naming): C's names
struct headway_cancel {
  std::shared_ptr<std::atomic<bool>> flag;
};

struct headway_engine {
  std::shared_ptr<headway::c_api::SharedModel> shared;
};

struct headway_stream {
  std::shared_ptr<headway::c_api::SharedModel> shared;
  headway::tokenizer::StreamDecoder decoder;
  headway::StopMatcher stops;
  std::string text;  // of the last call
};

struct headway_grammar {
  std::shared_ptr<const headway::grammar::Automaton> automaton;
  bool is_schema;
};

struct headway_sequence {
  std::shared_ptr<headway::c_api::SharedModel> shared;
  std::shared_ptr<std::atomic<bool>> flag;  // null: none
  std::unique_ptr<headway::Sequence> sequence;
  std::unique_ptr<headway::RowDrafts> drafts;        // null: it does not speculate
  std::unique_ptr<headway::SpeculationProbe> probe;  // null: none
  bool may_force = false;       // a grammar's only token is taken without logits
  std::string error_text = {};  // of its last step that failed
};

struct headway_generation {
  headway::Generation made;
};
// NOLINTEND(readability-identifier-naming)
