#include "kernels/kernel_set.h"

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/fields.h"
#include "kernels/instruction_sets.h"

namespace headway::kernels {
namespace {

// Takes what `kernels` lacks from a slower set.
void Complete(SelectedKernels* selected, const KernelSet& slower) {
  ForEachEntry(selected->kernels, slower,
               [&](std::string_view field, size_t index, auto& mine, auto* theirs) {
                 if (mine != nullptr || theirs == nullptr) return;
                 mine = theirs;
                 selected->served.push_back({.field = field, .index = index, .set = slower.name});
               });
}

}  // namespace

int64_t AttentionScratchFloats(int64_t num_heads, int64_t head_dim, int64_t capacity) {
  // The queries of kAttentionTokens tokens, quantised, and their scores from the key tile of the
  // first position on.
  const int64_t positions = (capacity + 2 * kKeyTile - 1) / kKeyTile * kKeyTile;
  return kAttentionTokens * num_heads * (QuantisedQueryFloats(head_dim) + positions);
}

std::array<const KernelSet*, 4> SupportedSets() {
  std::array<const KernelSet*, 4> sets{};
  size_t count = 0;
  for (const InstructionSet& candidate : InstructionSets()) {
    if (candidate.missing.empty()) sets[count++] = candidate.set;
  }
  return sets;
}

// Completion goes from fast to slow: the last entry is the slowest.
std::string_view SelectedKernels::ServedBy(std::string_view field) const {
  const auto last = std::find_if(served.rbegin(), served.rend(),
                                 [&](const Served& entry) { return entry.field == field; });
  return last == served.rend() ? "" : last->set;
}

std::string_view SelectedKernels::ProductServedBy(DataType type) const {
  const auto last = std::find_if(served.rbegin(), served.rend(), [&](const Served& entry) {
    return entry.field == "matmul" && entry.index == static_cast<size_t>(type);
  });
  return last == served.rend() ? "" : last->set;
}

Result<SelectedKernels> SelectKernels(std::string_view forced) {
  const std::vector<InstructionSet> candidates = InstructionSets();
  SelectedKernels selected;
  std::string known;
  for (const InstructionSet& candidate : candidates) {
    const std::string_view name = candidate.set->name;
    known += (known.empty() ? "" : ", ") + std::string(name);
    if (selected.kernels.name.empty()) {
      if (!forced.empty() && name != forced) continue;
      if (!candidate.missing.empty()) {
        if (forced.empty()) continue;
        return Fail(ErrorCode::kUnsupported, "kernels: set '" + std::string(name) +
                                                 "' was asked for, but this processor lacks " +
                                                 candidate.missing);
      }
      selected.kernels.name = name;
    }
    if (candidate.missing.empty()) Complete(&selected, *candidate.set);
  }
  if (selected.kernels.name.empty()) {
    return Fail(ErrorCode::kInvalidInput,
                "kernels: no set is called '" + std::string(forced) + "' (known: " + known + ")");
  }
  return selected;
}

}  // namespace headway::kernels
