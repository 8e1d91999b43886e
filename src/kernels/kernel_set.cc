#include "kernels/kernel_set.h"

#include <span>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_sets.h"
#include "kernels/reference/reference.h"

namespace headway::kernels {
namespace {

// A set and what it needs.
struct Candidate {
  const KernelSet* set;
  std::string missing;  // instructions this processor or build lacks, "" when the set can run
};

// Fastest first; the last can always run.
std::vector<Candidate> Candidates() {
  std::vector<Candidate> candidates;
  for (const cpu::CpuSet& entry : cpu::CpuSets()) {
    candidates.push_back({.set = entry.set, .missing = entry.missing});
  }
  candidates.push_back({.set = &reference::Set(), .missing = ""});
  return candidates;
}

template <class Function>
void FillIfNull(Function& field, Function slower) {
  if (field == nullptr) field = slower;
}

template <class Function>
void FillIfNull(Function& field, Function slower, std::string_view name, std::string_view* served) {
  if (field != nullptr) return;
  field = slower;
  *served = name;
}

// Takes what `kernels` lacks from a slower set.
void Complete(SelectedKernels* selected, const KernelSet& slower) {
  KernelSet& kernels = selected->kernels;
  SelectedKernels::ServedBy& served = selected->served_by;
  for (size_t type = 0; type < kernels.matmul.size(); ++type) {
    if (kernels.matmul[type] == nullptr && slower.matmul[type] != nullptr) {
      kernels.matmul[type] = slower.matmul[type];
      selected->matmul_served_by[type] = slower.name;
    }
  }
  FillIfNull(kernels.quantise_rows, slower.quantise_rows, slower.name, &served.quantise_rows);
  FillIfNull(kernels.rms_norm, slower.rms_norm, slower.name, &served.rms_norm);
  FillIfNull(kernels.swiglu, slower.swiglu, slower.name, &served.swiglu);
  FillIfNull(kernels.add, slower.add, slower.name, &served.add);
  FillIfNull(kernels.rotary, slower.rotary, slower.name, &served.rotary);
  for (size_t kv = 0; kv < kNumKvTypes; ++kv) {
    FillIfNull(kernels.store_kv[kv], slower.store_kv[kv], slower.name, &served.store_kv);
    FillIfNull(kernels.attention[kv], slower.attention[kv], slower.name, &served.attention);
  }
  FillIfNull(kernels.argmax, slower.argmax, slower.name, &served.argmax);
  FillIfNull(kernels.gumbel_argmax, slower.gumbel_argmax);
  FillIfNull(kernels.perturb, slower.perturb);
  FillIfNull(kernels.at_least, slower.at_least);
  FillIfNull(kernels.all_finite, slower.all_finite);
  FillIfNull(kernels.rotate, slower.rotate);
  FillIfNull(kernels.build_sign_tables, slower.build_sign_tables);
  FillIfNull(kernels.screen, slower.screen);
  FillIfNull(kernels.quantise_for_refinement, slower.quantise_for_refinement);
  FillIfNull(kernels.refine, slower.refine);
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
  for (const Candidate& candidate : Candidates()) {
    if (candidate.missing.empty()) sets[count++] = candidate.set;
  }
  return sets;
}

Result<SelectedKernels> SelectKernels(std::string_view forced) {
  const std::vector<Candidate> candidates = Candidates();
  SelectedKernels selected;
  std::string known;
  for (const Candidate& candidate : candidates) {
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
