#include "kernels/cpu/cpu_sets.h"

#if defined(__x86_64__)
#include "kernels/cpu/parts.h"
#include "kernels/cpu/processor.h"
#endif

namespace headway::kernels::cpu {

#if defined(__x86_64__)

namespace {

void Note(bool present, const char* name, std::string* missing) {
  if (present) return;
  if (!missing->empty()) *missing += ", ";
  *missing += name;
}

std::string MissingForAvx512() {
  std::string missing;
  Note(__builtin_cpu_supports("avx512f"), "AVX512F", &missing);
  Note(__builtin_cpu_supports("avx512bw"), "AVX512BW", &missing);
  Note(__builtin_cpu_supports("avx512vl"), "AVX512VL", &missing);
  Note(__builtin_cpu_supports("avx512dq"), "AVX512DQ", &missing);
  Note(__builtin_cpu_supports("avx512vnni"), "AVX512_VNNI", &missing);
  return missing;
}

std::string MissingForAvx2() {
  std::string missing;
  Note(__builtin_cpu_supports("avx2"), "AVX2", &missing);
  Note(__builtin_cpu_supports("fma"), "FMA", &missing);
  Note(HasF16C(), "F16C", &missing);
  return missing;
}

const CpuTables& Tables() {
  static const CpuTables tables = [] {
    CpuTables made;
    made.avx2.name = "avx2";
    made.avx512.name = "avx512";
    AddSimpleMatMuls(&made);
    AddKMatMuls(&made);
    AddFloatMatMuls(&made);
    AddLaneKernels(&made);
    avx2::AddPlaneKernels(&made.avx2);
    avx512::AddPlaneKernels(&made.avx512);
    avx512::AddScreen(&made.avx512);
    return made;
  }();
  return tables;
}

}  // namespace

std::vector<CpuSet> CpuSets() {
  __builtin_cpu_init();
  std::vector<CpuSet> sets;
  sets.push_back({.set = &Tables().avx512, .missing = MissingForAvx512()});
  sets.push_back({.set = &Tables().avx2, .missing = MissingForAvx2()});
  return sets;
}

#else

std::vector<CpuSet> CpuSets() { return {}; }

#endif

}  // namespace headway::kernels::cpu
