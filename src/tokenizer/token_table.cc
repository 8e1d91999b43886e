#include "tokenizer/token_table.h"

#include <bit>
#include <functional>

#include "base/check.h"

namespace headway::tokenizer {
namespace {

uint32_t HashOfText(std::string_view text) {
  const uint64_t hash = std::hash<std::string_view>()(text);
  return static_cast<uint32_t>(hash ^ hash >> 32);
}

}  // namespace

TokenTable::TokenTable(size_t capacity)
    : slots_(std::bit_ceil(capacity * 2 + 2)), texts_(capacity) {}

// The slot that holds `text`, or the empty one where it belongs. At most half of the slots are
// used, so there always is one.
size_t TokenTable::Locate(std::string_view text, uint32_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t i = hash & mask;
  while (slots_[i].id >= 0 &&
         (slots_[i].hash != hash || texts_[static_cast<size_t>(slots_[i].id)] != text)) {
    i = (i + 1) & mask;
  }
  return i;
}

int32_t TokenTable::Insert(std::string_view text, int32_t id) {
  HW_DCHECK(id >= 0 && static_cast<size_t>(id) < texts_.size(), "an id below the capacity");
  const uint32_t hash = HashOfText(text);
  Slot& slot = slots_[Locate(text, hash)];
  if (slot.id >= 0) return slot.id;
  slot = {hash, id};
  texts_[static_cast<size_t>(id)] = text;
  return -1;
}

int32_t TokenTable::Find(std::string_view text) const {
  return slots_[Locate(text, HashOfText(text))].id;
}

}  // namespace headway::tokenizer
