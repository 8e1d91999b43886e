#include "kernels/processor.h"

namespace headway::kernels {

void NoteMissing(bool present, const char* name, std::string* missing) {
  if (present) return;
  if (!missing->empty()) *missing += ", ";
  *missing += name;
}

}  // namespace headway::kernels

#if defined(__x86_64__)

#include <cpuid.h>

#include <cstring>

namespace headway::kernels {
namespace {

struct CpuidLeaf {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
};

// Zeros where the processor has no such leaf.
CpuidLeaf Leaf(unsigned number) {
  CpuidLeaf leaf;
  if (__get_cpuid(number, &leaf.eax, &leaf.ebx, &leaf.ecx, &leaf.edx) == 0) return {};
  return leaf;
}

bool IsAmd() {
  const CpuidLeaf leaf = Leaf(0);
  const unsigned name[3] = {leaf.ebx, leaf.edx, leaf.ecx};
  return std::memcmp(name, "AuthenticAMD", sizeof name) == 0;
}

// Family and extended family of leaf 1: 0x17 Zen and Zen 2, 0x19 Zen 3 and Zen 4, 0x1a Zen 5.
unsigned Family() {
  const unsigned eax = Leaf(1).eax;
  return (eax >> 8 & 0xfU) + (eax >> 20 & 0xffU);
}

}  // namespace

// clang 14 has no name for this one. Leaf 1, ecx bit 29.
bool HasF16C() { return (Leaf(1).ecx >> 29 & 1U) != 0; }

bool FetchesWeightsByItself() {
  static const bool result = IsAmd() && Family() == 0x19;
  return result;
}

}  // namespace headway::kernels

#endif  // defined(__x86_64__)
