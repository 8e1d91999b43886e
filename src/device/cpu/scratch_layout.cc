#include "device/cpu/scratch_layout.h"

#include <algorithm>
#include <utility>

namespace headway::cpu {
namespace {

// Gives each buffer its offset; returns the bytes of all.
int64_t AssignOffsets(std::vector<Buffer>* buffers) {
  int64_t total = 0;
  for (size_t i = 0; i < buffers->size(); ++i) {
    Buffer& buffer = (*buffers)[i];
    std::vector<std::pair<int64_t, int64_t>> taken;
    for (size_t j = 0; j < i; ++j) {
      const Buffer& other = (*buffers)[j];
      if (other.first_phase <= buffer.last_phase && buffer.first_phase <= other.last_phase) {
        taken.emplace_back(other.offset_bytes, other.offset_bytes + other.size_bytes);
      }
    }
    std::sort(taken.begin(), taken.end());
    int64_t offset = 0;
    for (const auto& [begin, end] : taken) {
      if (offset + buffer.size_bytes <= begin) break;
      offset = std::max(offset, end);
    }
    buffer.offset_bytes = offset;
    total = std::max(total, offset + buffer.size_bytes);
  }
  return total;
}

}  // namespace

int64_t PlaceBuffers(std::vector<Buffer>* buffers, Plan* plan) {
  const int64_t total = AssignOffsets(buffers);
  const auto resolve_bytes = [&](int64_t* bytes) {
    if (*bytes >= 0) *bytes = (*buffers)[static_cast<size_t>(*bytes)].offset_bytes;
  };
  const auto resolve = [&](Place* place) {
    if (place->base == Place::Base::kScratch && place->stride_channels > 0)
      resolve_bytes(&place->offset_bytes);
  };
  for (Phase& phase : plan->phases) {
    if (auto* rows = std::get_if<RowsPhase>(&phase)) {
      for (RowOp& op : rows->ops) {
        for (Place* place : {&op.x, &op.y, &op.out}) resolve(place);
      }
    } else if (auto* linear = std::get_if<LinearPhase>(&phase)) {
      for (LinearPart& part : linear->parts) {
        resolve(&part.x);
        resolve(&part.out);
        resolve_bytes(&part.quantised_bytes);
      }
    } else if (auto* attention = std::get_if<AttentionPhase>(&phase)) {
      for (Place* place : {&attention->q, &attention->k, &attention->v, &attention->out})
        resolve(place);
      if (attention->quantise) {
        for (Place* place : {&attention->quantise->x, &attention->quantise->out}) resolve(place);
      }
    }
  }
  return total;
}

}  // namespace headway::cpu
