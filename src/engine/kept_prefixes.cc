#include "engine/kept_prefixes.h"

#include <algorithm>
#include <utility>

namespace headway {
namespace {

// Each has its own buffers besides keys and values.
constexpr int64_t kMostKept = 64;

}  // namespace

int64_t CommonTokens(std::span<const int32_t> a, std::span<const int32_t> b) {
  const size_t shorter = std::min(a.size(), b.size());
  const auto from = a.begin();
  const auto differ = std::mismatch(from, from + static_cast<std::ptrdiff_t>(shorter), b.begin());
  return differ.first - from;
}

KeptPrefixes::Sequences::iterator KeptPrefixes::Drop(Sequences::iterator at) {
  num_tokens_ -= (*at)->NumCached();
  return kept_.erase(at);
}

void KeptPrefixes::Add(std::unique_ptr<Sequence> sequence) {
  const auto tokens = sequence->Tokens().first(static_cast<size_t>(sequence->NumCached()));
  for (auto at = kept_.begin(); at != kept_.end();) {
    const Sequence& other = **at;
    const bool is_part = other.Kv() == sequence->Kv() &&
                         other.NumCached() <= sequence->NumCached() &&
                         CommonTokens(other.Tokens(), tokens) >= other.NumCached();
    at = is_part ? Drop(at) : std::next(at);
  }
  num_tokens_ += sequence->NumCached();
  kept_.push_front(std::move(sequence));
  while (Count() > kMostKept) DropOldest();
}

std::pair<const Sequence*, int64_t> KeptPrefixes::Find(std::span<const int32_t> tokens, KvType kv) {
  auto best = kept_.end();
  int64_t most = 0;
  for (auto at = kept_.begin(); at != kept_.end(); ++at) {
    if ((*at)->Kv() != kv) continue;
    const int64_t common = std::min(CommonTokens(tokens, (*at)->Tokens()), (*at)->NumCached());
    if (common <= most) continue;
    most = common;
    best = at;
  }
  if (best == kept_.end()) return {nullptr, 0};
  kept_.splice(kept_.begin(), kept_, best);
  return {kept_.front().get(), most};
}

void KeptPrefixes::DropOldest() { Drop(std::prev(kept_.end())); }

}  // namespace headway
