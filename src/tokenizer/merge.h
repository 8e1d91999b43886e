#pragma once

// The loop at the heart of both tokenizer kinds: start with one symbol per character (or byte),
// then again and again join the neighbouring pair of best priority, leftmost first among equals,
// until no pair can be joined. Byte-level BPE's priority is the rank of the merge, SentencePiece's
// is the score of the result.
//
// A heap over a linked list: O(n log n) for n symbols, so that a megabyte without a space stays
// cheap.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace headway::tokenizer {

// A stretch of text that is one token so far. Symbols form a doubly linked list by index; -1 ends
// it.
struct Symbol {
  uint32_t begin = 0;   // byte offset
  uint32_t length = 0;  // in bytes; 0: joined to its left neighbour, no longer in the list
  int32_t id = -1;      // -1: no token has this text
  int32_t previous = -1;
  int32_t next = -1;
};

// The outcome of joining two neighbours. Lower priority values go first.
struct Merge {
  uint32_t priority = 0;
  int32_t id = -1;
};

// Working memory; reused from call to call to save allocations.
struct MergeSpace {
  struct Candidate {
    uint64_t order = 0;  // priority, then index of the left symbol
    // Of both symbols when the candidate was made; a different sum means it is stale.
    uint32_t length = 0;
    int32_t id = -1;
    bool operator>(const Candidate& other) const { return order > other.order; }
  };
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

// Joins neighbours in space->symbols, which must be linked in order. `find(left, right)` returns
// std::optional<Merge> for two neighbouring Symbols. Afterwards the list that starts at symbol 0 is
// the result.
template <class FindMerge>
void MergeSymbols(const FindMerge& find, MergeSpace* space) {
  std::vector<Symbol>& symbols = space->symbols;
  std::vector<MergeSpace::Candidate>& heap = space->heap;
  const auto at = [&](int32_t i) -> Symbol& { return symbols[static_cast<size_t>(i)]; };
  heap.clear();
  const auto propose = [&](int32_t left) {
    const Symbol& a = at(left);
    const Symbol& b = at(a.next);
    const std::optional<Merge> merge = find(a, b);
    if (!merge) return false;
    heap.push_back({.order = uint64_t{merge->priority} << 32 | static_cast<uint32_t>(left),
                    .length = a.length + b.length,
                    .id = merge->id});
    return true;
  };
  const auto push = [&](int32_t left) {
    if (propose(left)) std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };

  for (size_t i = 0; i + 1 < symbols.size(); ++i) propose(static_cast<int32_t>(i));
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const MergeSpace::Candidate candidate = heap.back();
    heap.pop_back();
    const auto left = static_cast<int32_t>(candidate.order & 0xFFFFFFFFU);
    Symbol& a = at(left);
    if (a.length == 0 || a.next < 0) continue;
    Symbol& b = at(a.next);
    // Symbols only grow, each on its right side: the same sum means that both are still the same.
    if (a.length + b.length != candidate.length) continue;
    a.length = candidate.length;
    a.id = candidate.id;
    a.next = b.next;
    b.length = 0;
    if (a.next >= 0) at(a.next).previous = left;
    if (a.previous >= 0) push(a.previous);
    if (a.next >= 0) push(left);
  }
}

}  // namespace headway::tokenizer
