#include <fmt/format.h>

#include "gates/golden.h"

namespace headway::gates {
namespace {

void CheckOps(const LoadedShard& shard, const std::string& path, std::vector<Check>* checks) {
  const std::optional<std::string> op = shard.FirstNotFinite();
  if (!op) return;
  Check check{
      .subject = fmt::format("{}, values between ops", path), .difference = {}, .problem = ""};
  if (!op->empty()) {
    check.difference.not_finite = 1;
    check.problem =
        fmt::format("expected finite values of every op, found NaN or infinity of {}", *op);
  }
  checks->push_back(std::move(check));
}

}  // namespace

void CheckIntermediates(const Heads& heads, std::vector<Check>* checks) {
  const Pipeline& first = *heads.front();
  for (size_t i = 0; i < first.Layers().size(); ++i)
    CheckOps(*first.Layers()[i], first.manifest().layers[i].file.path, checks);
  for (const auto& pipeline : heads) {
    const LoadedHead& head = pipeline->Head();
    for (size_t i = 0; i < head.shards.size(); ++i)
      CheckOps(*head.shards[i], head.specs[i].file.path, checks);
  }
}

}  // namespace headway::gates
