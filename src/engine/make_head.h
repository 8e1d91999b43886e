#pragma once

// Makes the head of a package from what it holds.

#include <memory>

#include "base/result.h"
#include "base/thread_pool.h"
#include "engine/certified_head.h"
#include "engine/head.h"
#include "engine/pipeline.h"
#include "kernels/kernel_set.h"

namespace headway {

// The kind is the pipeline's. All must outlive the head. Errors: those of CertifiedHead::Create.
Result<std::unique_ptr<Head>> MakeHead(Pipeline* pipeline, ThreadPool* pool,
                                       const kernels::KernelSet& kernels);

// The most states of one call of Head::Logits: wide enough to share a reading of the head, narrow
// enough that the logits of a 200,064-token vocabulary take 13 MB.
inline constexpr int64_t kLogitsStates = 16;

}  // namespace headway
