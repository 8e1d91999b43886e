#pragma once

// The program that multiplies the signs of a certified head's rows, from its planes, and the shard
// that runs it beside the host's rows. Inside this folder only.

#include <memory>
#include <string>

#include "base/thread_pool.h"
#include "device/coreml/host_rows.h"
#include "device/coreml/loaded_shards.h"
#include "device/coreml/shards/screen_shard.h"
#include "device/emitter.h"
#include "lmhead/planes.h"

namespace headway::coreml {

// For the rows of `shard`, a part of the head. Without `with_weights` the program alone, of weights
// that are written already. Errors: those of mil::BuildScreenShard; kCorrupt
// (planes of another head).
Result<mil::Shard> LowerScreen(const graph::Graph& shard, const lmhead::Planes& planes,
                               const StepWidth& width, bool with_weights, mil::BlobSink* blobs);

// The graph that a package's metadata carries. Errors: kCorrupt.
Result<graph::Graph> GraphOf(const mil::Model& model);

// Errors: kCorrupt, kUnsupported (a program that assumes other sums than the certificate allows
// for).
Result<std::unique_ptr<LoadedHeadShard>> MakeScreenedHead(Programs programs,
                                                          std::unique_ptr<HostRows> rows,
                                                          ThreadPool* pool);

}  // namespace headway::coreml
