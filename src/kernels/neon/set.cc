#if defined(__aarch64__)

#include "kernels/neon/set.h"

#include "base/platform.h"
#include "kernels/processor.h"

namespace headway::kernels::neon {

const KernelSet& plain::Kernels() {
  static const KernelSet set = [] {
    KernelSet made{.name = "neon"};
    AddProducts(&made);
    AddLaneKernels(&made);
    AddPlaneKernels(&made);
    return made;
  }();
  return set;
}

const KernelSet& dot::Kernels() {
  static const KernelSet set = [] {
    KernelSet made{.name = "neon_dot"};
    AddProducts(&made);
    AddLaneKernels(&made);
    AddPlaneKernels(&made);
    return made;
  }();
  return set;
}

std::string dot::Missing() {
  std::string missing;
  NoteMissing(platform::ArmFeaturesOfProcessor().dot_products, "DotProd", &missing);
  return missing;
}

const KernelSet& i8mm::Kernels() {
  static const KernelSet set = [] {
    KernelSet made{.name = "neon_i8mm"};
    AddProducts(&made);
    return made;
  }();
  return set;
}

std::string i8mm::Missing() {
  std::string missing = dot::Missing();
  NoteMissing(platform::ArmFeaturesOfProcessor().matrix_products, "I8MM", &missing);
  return missing;
}

}  // namespace headway::kernels::neon

#endif  // defined(__aarch64__)
