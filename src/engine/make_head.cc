#include "engine/make_head.h"

#include "engine/full_head.h"

namespace headway {

Result<std::unique_ptr<Head>> MakeHead(Pipeline* pipeline, ThreadPool* pool,
                                       const kernels::KernelSet& kernels) {
  auto full = std::make_unique<FullHead>(pipeline, kernels, kLogitsStates);
  if (!pipeline->Head().planes) return std::unique_ptr<Head>(std::move(full));
  HW_TRY(auto head, CertifiedHead::Create(pipeline, pool, kernels, std::move(full)));
  return std::unique_ptr<Head>(std::move(head));
}

}  // namespace headway
