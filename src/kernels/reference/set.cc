#include "kernels/reference/reference.h"

namespace headway::kernels::reference {

const KernelSet& Set() {
  static const KernelSet set = {
      .name = "reference",
      .matmul = MatMuls(),
      .quantise_rows = QuantiseRows,
      .rms_norm = RmsNorm,
      .swiglu = SwiGlu,
      .geglu_tanh = GegluTanh,
      .soft_cap = SoftCap,
      .add = Add,
      .rotary = Rotary,
      .store_kv = {StoreKv, StoreKvQ8},
      .attention = {Attention, AttentionQ8},
      .argmax = FindArgMax,
      .gumbel_argmax = FindGumbelArgMax,
      .perturb = Perturb,
      .at_least = FindAtLeast,
      .all_finite = AllFinite,
      .rotate = Rotate,
      .build_sign_tables = BuildSignTables,
      .screen = Screen,
      .quantise_for_refinement = QuantiseForRefinement,
      .refine = Refine,
  };
  return set;
}

}  // namespace headway::kernels::reference
