#pragma once

// The one list of a kernel set's fields. Completion, "served by" and the tests go through it; a new
// kernel is a field of KernelSet and a line here.

#include <string_view>
#include <tuple>

#include "kernels/kernel_set.h"

namespace headway::kernels {

template <class Member>
struct Field {
  std::string_view name;
  Member KernelSet::*member;  // a function pointer, or an array of them by type
};
template <class Member>  // clang 14 does not deduce it by itself
Field(const char*, Member KernelSet::*)->Field<Member>;

inline constexpr auto kFields = std::tuple{
    Field{"matmul", &KernelSet::matmul},
    Field{"quantise_rows", &KernelSet::quantise_rows},
    Field{"rms_norm", &KernelSet::rms_norm},
    Field{"swiglu", &KernelSet::swiglu},
    Field{"geglu_tanh", &KernelSet::geglu_tanh},
    Field{"soft_cap", &KernelSet::soft_cap},
    Field{"add", &KernelSet::add},
    Field{"rotary", &KernelSet::rotary},
    Field{"store_kv", &KernelSet::store_kv},
    Field{"attention", &KernelSet::attention},
    Field{"argmax", &KernelSet::argmax},
    Field{"gumbel_argmax", &KernelSet::gumbel_argmax},
    Field{"perturb", &KernelSet::perturb},
    Field{"at_least", &KernelSet::at_least},
    Field{"all_finite", &KernelSet::all_finite},
    Field{"rotate", &KernelSet::rotate},
    Field{"build_sign_tables", &KernelSet::build_sign_tables},
    Field{"screen", &KernelSet::screen},
    Field{"quantise_for_refinement", &KernelSet::quantise_for_refinement},
    Field{"refine", &KernelSet::refine},
};

template <class Function>
constexpr size_t NumEntries(Function* const& /*field*/) {
  return 1;
}
template <class Function, size_t kCount>
constexpr size_t NumEntries(const std::array<Function, kCount>& /*field*/) {
  return kCount;
}
template <class Function>
constexpr Function*& Entry(Function*& field, size_t /*index*/) {
  return field;
}
template <class Function>
constexpr Function* Entry(Function* const& field, size_t /*index*/) {
  return field;
}
template <class Fields>
constexpr auto& Entry(Fields& field, size_t index) {
  return field[index];
}

// visit(name, index, a's function, b's function) of every field's every entry.
template <class A, class B, class Visit>
constexpr void ForEachEntry(A& a, B& b, const Visit& visit) {
  const auto one = [&](const auto& field) {
    for (size_t i = 0; i < NumEntries(a.*field.member); ++i)
      visit(field.name, i, Entry(a.*field.member, i), Entry(b.*field.member, i));
  };
  std::apply([&](const auto&... fields) { (one(fields), ...); }, kFields);
}

}  // namespace headway::kernels
