// What the scheduler's conversations begin with, and what of them is kept for others.

#include <algorithm>
#include <new>
#include <utility>

#include "engine/scheduler.h"

namespace headway {
namespace {

// Of what is kept, beginnings shorter than that are read again.
constexpr int64_t kWorthSharing = 8;
// A beginning that another conversation is reading is waited for when it saves that many tokens.
constexpr int64_t kWorthWaiting = 32;

}  // namespace

// Keeps the beginning alone: without room for more tokens, and what choosing those takes.
void Scheduler::KeepPrefixOf(const Sequence& sequence) {
  const int64_t length = sequence.NumCached();
  if (length < kWorthSharing) return;
  SessionOptions options;
  options.capacity_tokens = length;
  options.kv = sequence.Kv();
  try {
    auto kept = executor_->NewSequence(std::move(options));
    if (!kept) return;
    (*kept)->ShareFrom(sequence, length);
    kept_.Add(*std::move(kept));
  } catch (const std::bad_alloc&) {  // then it is read again
  }
}

// Gives the sequence its prompt, and what others know of it. False: another one is just reading the
// same beginning.
bool Scheduler::Begin(ScheduledEntry* entry) {
  const std::span<const int32_t> prompt = entry->request.prompt;
  Sequence* const sequence = entry->sequence.get();
  if (entry->request.share_prefix) {
    auto [source, shared] = kept_.Find(prompt, sequence->Kv());
    int64_t later = 0;
    for (const Entry& other : live_) {
      if (!other->begun || other->end != EndReason::kGoesOn ||
          other->sequence->Kv() != sequence->Kv())
        continue;
      const int64_t common = CommonTokens(prompt, other->sequence->Tokens());
      const int64_t now = std::min(common, other->sequence->NumCached());
      later = std::max(later, common);
      if (now <= shared) continue;
      shared = now;
      source = other->sequence.get();
    }
    if (later >= shared + kWorthWaiting) return false;
    if (shared >= kWorthSharing) sequence->ShareFrom(*source, shared);
  }
  sequence->AddPrompt(prompt.subspan(static_cast<size_t>(sequence->Length())));
  sequence->BeginReading(sequence->Length(), "prefill");
  entry->cached_tokens = sequence->NumCached();
  entry->begun = true;
  TellReading(entry);
  return true;
}

}  // namespace headway
