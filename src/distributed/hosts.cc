#include "distributed/hosts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace headway::distributed {
namespace {

constexpr int kMostParts = 64;  // graph::kMaxHeadShards

tl::unexpected<Error> BadText(std::string_view text, const std::string& found) {
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("--hosts '{}': expected layers:L,head:H with numbers from 1 to {}, for "
                          "example layers:2,head:4, found {}",
                          text, kMostParts, found));
}

Slice PartOf(int part, int num_parts, size_t num_shards) {
  const auto p = static_cast<size_t>(part);
  const auto parts = static_cast<size_t>(num_parts);
  return {.begin = num_shards * p / parts, .end = num_shards * (p + 1) / parts};
}

}  // namespace

Result<Hosts> Hosts::Parse(std::string_view text, int num_ranks) {
  int layers = 0;
  int head = 0;
  for (std::string_view rest = text;;) {
    const size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const size_t colon = item.find(':');
    const std::string_view name = item.substr(0, colon);
    int* const number = name == "layers" ? &layers : name == "head" ? &head : nullptr;
    if (number == nullptr || colon == std::string_view::npos)
      return BadText(text, fmt::format("'{}'", item));
    if (*number != 0) return BadText(text, fmt::format("{} twice", name));
    const char* const end = item.data() + item.size();
    const auto parsed = std::from_chars(item.data() + colon + 1, end, *number);
    if (parsed.ec != std::errc{} || parsed.ptr != end || *number < 1 || *number > kMostParts)
      return BadText(text, fmt::format("'{}'", item));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  layers = std::max(layers, 1);
  head = std::max(head, 1);
  const int least = std::max(layers, head);
  const int most = layers + head;
  if (num_ranks >= least && num_ranks <= most) return Hosts(num_ranks, layers, head);
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("--hosts {}: expected {} to {} ranks, found {}: mpirun -n {} headway ...",
                          text, least, most, num_ranks, num_ranks < least ? least : most));
}

std::vector<int> Hosts::HeadRanks() const {
  std::vector<int> ranks;
  ranks.reserve(static_cast<size_t>(head_));
  for (int part = 0; part < head_; ++part) ranks.push_back(RankOfHead(part));
  return ranks;
}

Slice Hosts::LayersOf(int rank, size_t num_shards) const {
  return HasLayers(rank) ? PartOf(rank, layers_, num_shards) : Slice{};
}

Slice Hosts::HeadOf(int rank, size_t num_shards) const {
  return HasHead(rank) ? PartOf(rank - (num_ranks_ - head_), head_, num_shards) : Slice{};
}

Result<void> Hosts::CheckShards(size_t num_layer_shards, size_t num_head_shards) const {
  const auto check = [](const char* name, int parts, size_t shards,
                        const char* how) -> Result<void> {
    if (static_cast<size_t>(parts) <= shards) return {};
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("--hosts {}:{}: expected a package of at least {} shards of them, found "
                    "{}: {}",
                    name, parts, parts, shards, how));
  };
  HW_TRY_VOID(
      check("layers", layers_, num_layer_shards, "pack it with --topology N, N layers a shard"));
  return check("head", head_, num_head_shards,
               "pack it with --head full:N, and certified beside it");
}

std::string Hosts::NameOf(int rank) const {
  std::string roles;
  if (HasLayers(rank)) roles = fmt::format("layers {} of {}", rank + 1, layers_);
  if (HasHead(rank)) {
    roles += fmt::format("{}head {} of {}", roles.empty() ? "" : ", ",
                         rank - (num_ranks_ - head_) + 1, head_);
  }
  return fmt::format("rank {} ({})", rank, roles);
}

}  // namespace headway::distributed
