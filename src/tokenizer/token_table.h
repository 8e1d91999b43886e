#pragma once

// Text -> token id: an open-addressing hash table. Slots hold eight bytes, so that the table of
// 262,144 tokens is 4 MB: most of what a look-up or loading costs is memory that is touched first.

#include <cstdint>
#include <string_view>
#include <vector>

namespace headway::tokenizer {

class TokenTable {
 public:
  // Room for `capacity` entries with ids below `capacity`.
  explicit TokenTable(size_t capacity = 0);

  // Adds text -> id and returns -1; when the text is there already, changes nothing and returns its
  // id. `text` must stay where it is while the table is used.
  int32_t Insert(std::string_view text, int32_t id);

  // The id, or -1.
  int32_t Find(std::string_view text) const;

 private:
  struct Slot {
    uint32_t hash = 0;
    int32_t id = -1;
  };
  size_t Locate(std::string_view text, uint32_t hash) const;

  std::vector<Slot> slots_;
  std::vector<std::string_view> texts_;  // by id; empty where there is none
};

}  // namespace headway::tokenizer
