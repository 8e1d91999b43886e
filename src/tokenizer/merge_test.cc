#include "tokenizer/merge.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace headway::tokenizer {
namespace {

using Ranks = std::map<std::string, uint32_t>;
using Parts = std::vector<std::string>;

// The definition: look at all neighbours, join the best, start again.
Parts MergeSlowly(const std::string& text, const Ranks& ranks) {
  Parts parts;
  for (const char c : text) parts.emplace_back(1, c);
  while (true) {
    auto best = ranks.end();
    size_t where = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = ranks.find(parts[i] + parts[i + 1]);
      if (found == ranks.end() || (best != ranks.end() && best->second <= found->second)) continue;
      best = found;
      where = i;
    }
    if (best == ranks.end()) return parts;
    parts[where] += parts[where + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
}

Parts MergeFast(const std::string& text, const Ranks& ranks) {
  MergeSpace space;
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < size; ++i) {
    space.symbols.push_back({.begin = static_cast<uint32_t>(i),
                             .length = 1,
                             .id = 0,
                             .previous = i - 1,
                             .next = i + 1 < size ? i + 1 : -1});
  }
  const auto find = [&](const Symbol& a, const Symbol& b) -> std::optional<Merge> {
    const auto found = ranks.find(text.substr(a.begin, a.length + b.length));
    if (found == ranks.end()) return std::nullopt;
    return Merge{found->second, 0};
  };
  MergeSymbols(find, &space);
  Parts parts;
  for (int32_t i = 0; i >= 0; i = space.symbols[static_cast<size_t>(i)].next) {
    const Symbol& symbol = space.symbols[static_cast<size_t>(i)];
    parts.push_back(text.substr(symbol.begin, symbol.length));
  }
  return parts;
}

// Few letters and many equal priorities, so that pairs compete and go stale all the time.
TEST(MergeTest, RandomRanks_HeapEqualsDefinition) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    const auto text_of = [&](size_t length) {
      std::string text(length, 'a');
      for (char& c : text) c = static_cast<char>('a' + random() % 3);
      return text;
    };
    Ranks ranks;
    for (int i = 0; i < 30; ++i)
      ranks[text_of(2 + random() % 6)] = static_cast<uint32_t>(random() % 20);
    const std::string text = text_of(1 + random() % 60);
    ASSERT_EQ(MergeFast(text, ranks), MergeSlowly(text, ranks)) << text;
  }
}

}  // namespace
}  // namespace headway::tokenizer
