#pragma once

// What a step of one token must cost the network, by the shape of the model and of the ranks alone:
// compared with what is counted (docs/distributed.md has the formula in words).

#include <cstdint>

#include "distributed/hosts.h"
#include "distributed/link.h"
#include "manifest/manifest.h"

namespace headway::distributed {

// A greedy step of one conversation without drafts, penalties or grammar. Of a certified head the
// rows found are not known before: each is kFoundRowBytes more.
Traffic PredictStep(const Hosts& hosts, const Manifest& manifest, const HeadSpec& head);
inline constexpr uint64_t kFoundRowBytes = 8;
// The logits of one state, all of them: what the last one's hash takes at the end of a run.
Traffic PredictLogits(const Hosts& hosts, const Manifest& manifest, const HeadSpec& head);

}  // namespace headway::distributed
