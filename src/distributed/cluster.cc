#include "distributed/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "distributed/package_files.h"
#include "distributed/placed_loader.h"
#include "lmhead/planes.h"

namespace headway::distributed {
namespace {

std::string PathOf(const std::string& directory, const FileEntry& file) {
  return (std::filesystem::path(directory) / file.path).string();
}

// The planes of a head; nothing where it has none.
Result<std::optional<lmhead::Planes>> OpenPlanes(const std::string& directory, const HeadSpec& head,
                                                 ThreadPool* pool) {
  if (!head.planes) return std::optional<lmhead::Planes>();
  HW_TRY(auto planes,
         lmhead::Planes::Open(PathOf(directory, *head.planes), RowsDigest(head), false, pool));
  return std::optional<lmhead::Planes>(std::move(planes));
}

}  // namespace

Cluster::~Cluster() {
  Writer writer;
  writer.Put(Work::kStop);
  writer.PutText(failure_);
  for (int rank = 1; rank < GetHosts().NumRanks(); ++rank)
    static_cast<void>(link_->Send(rank, Channel::kWork, writer.Bytes()));
}

// Every worker's word on what it was told to do; of several that failed the first.
Result<void> Cluster::Gather(const char* what, const std::vector<std::string>* identity_or_null) {
  link_->SayWork(what);
  Result<void> outcome;
  for (int rank = 1; rank < GetHosts().NumRanks(); ++rank) {
    HW_TRY(const Message message, link_->Receive(Channel::kReply, rank));
    Reader reader(message.bytes);
    std::string problem = reader.GetText();
    std::vector<std::string> identity;
    if (identity_or_null != nullptr && problem.empty()) {
      for (auto lines = reader.Get<uint64_t>(); lines > 0 && reader.Ok(); --lines)
        identity.push_back(reader.GetText());
      problem = Difference(*identity_or_null, identity);
      if (!problem.empty()) problem.insert(0, "another model than rank 0 has: ");
    }
    if (outcome && !problem.empty()) {
      outcome =
          Fail(ErrorCode::kInvalidInput, fmt::format("{}: {}", GetHosts().NameOf(rank), problem));
    }
  }
  return outcome;
}

Result<void> Cluster::Distribute(const Manifest& manifest, const HeadSpec& head) {
  const std::vector<std::string> identity = Identity(manifest);
  HW_TRY_VOID(Gather("opening the model", &identity));
  HW_TRY_VOID(GetHosts().CheckShards(manifest.layers.size(), head.shards.size()));
  if (head.rows) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("--hosts: head {} of the device {}: expected one whose shards give "
                            "logits, found programs that screen rows",
                            head.kind, manifest.device));
  }
  Writer writer;
  writer.Put(Work::kAssign);
  writer.PutText(head.kind);
  for (int rank = 1; rank < GetHosts().NumRanks(); ++rank)
    HW_TRY_VOID(link_->Send(rank, Channel::kWork, writer.Bytes()));
  return {};
}

Result<std::unique_ptr<ShardLoader>> Cluster::NewLoader(const Device& device,
                                                        const LoaderOptions& options,
                                                        const std::string& directory,
                                                        const Manifest& manifest,
                                                        const HeadSpec& head) {
  const auto note = [this](const Result<void>& done) {
    if (!done) failure_ = done.error().message;
    return done;
  };
  HW_TRY_VOID(note(Distribute(manifest, head)));
  LoaderOptions lazy_options = options;
  lazy_options.lazy = true;
  HW_TRY(auto own, device.new_loader(options));
  HW_TRY(auto lazy, device.new_loader(lazy_options));
  ShardPaths paths;
  std::vector<int> ranks(manifest.layers.size());
  for (int rank = 0; rank < GetHosts().NumRanks(); ++rank) {
    const Slice layers = GetHosts().LayersOf(rank, ranks.size());
    std::fill(ranks.begin() + static_cast<std::ptrdiff_t>(layers.begin),
              ranks.begin() + static_cast<std::ptrdiff_t>(layers.end), rank);
  }
  for (size_t i = 0; i < manifest.layers.size(); ++i)
    paths.layers[PathOf(directory, manifest.layers[i].file)] = i;
  for (size_t i = 0; i < head.shards.size(); ++i)
    paths.head[PathOf(directory, head.shards[i].file)] = i;

  group_ = std::make_unique<HeadGroup>(link_.get(), manifest.model, head);
  const bool is_divided = !group_->Others().empty();
  if (is_divided) {
    HW_TRY(auto planes, OpenPlanes(directory, head, options.pool));
    int64_t screen_bytes = 0;
    for (const int rank : GetHosts().HeadRanks()) {
      const Slice shards = GetHosts().HeadOf(rank, head.shards.size());
      if (planes) {
        screen_bytes +=
            lmhead::ScreenBytesOf(*planes, {.begin = head.shards[shards.begin].vocab_start,
                                            .end = head.shards[shards.end - 1].vocab_end});
      }
    }
    LoadedHead loaded{.kind = head.kind, .specs = {}, .shards = {}};
    int64_t weight_bytes = 0;
    for (size_t i = 0; i < head.shards.size(); ++i) {
      const bool is_own = group_->IsOwn(i);
      const std::string path = PathOf(directory, head.shards[i].file);
      HW_TRY(auto shard, (is_own ? own : lazy)->LoadHead({.paths = {&path, 1}}));
      weight_bytes += shard->WeightBytes();
      if (!is_own) continue;
      loaded.specs.push_back(head.shards[i]);
      loaded.shards.push_back(std::move(shard));
    }
    group_->SetBytes(weight_bytes, screen_bytes);
    if (!loaded.shards.empty()) {
      loaded.planes = std::move(planes);
      group_->SetOwn(std::make_unique<HeadPart>(std::move(loaded), manifest.model, options.pool,
                                                options.kernels->kernels));
    }
  }
  const auto others = [&](const FileEntry& file) { others_files_.push_back(file.path); };
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (ranks[i] != 0) others(manifest.layers[i].file);
  }
  for (size_t i = 0; i < head.shards.size(); ++i) {
    if (!group_->IsOwn(i)) others(head.shards[i].file);
  }
  if (head.planes && group_->OwnShards().IsEmpty()) others(*head.planes);
  // Meanwhile the workers have loaded theirs.
  HW_TRY_VOID(note(Gather("loading the weights", nullptr)));
  link_->SayWork("waiting for work");
  ring_ = std::make_unique<LayerRing>(link_.get(), std::move(ranks));
  return std::make_unique<PlacedLoader>(std::move(own), std::move(lazy), std::move(paths),
                                        ring_.get(), is_divided ? group_.get() : nullptr);
}

bool Cluster::Reads(const FileEntry& file) const {
  return std::find(others_files_.begin(), others_files_.end(), file.path) == others_files_.end();
}

Result<Traffic> Cluster::Sent() {
  Traffic all = link_->Sent();
  Writer writer;
  writer.Put(Work::kTraffic);
  for (int rank = 1; rank < GetHosts().NumRanks(); ++rank) {
    HW_TRY_VOID(link_->Send(rank, Channel::kWork, writer.Bytes(), false));
    HW_TRY(const Message message, link_->Receive(Channel::kReply, rank));
    Reader reader(message.bytes);
    all = all + reader.Get<Traffic>();
  }
  return all;
}

}  // namespace headway::distributed
