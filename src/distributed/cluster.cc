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

// What rank 0 runs of a divided head, and what it must know of all parts.
Result<void> Cluster::LoadHeadParts(const Manifest& manifest, const HeadSpec& head,
                                    const std::string& directory, const LoaderOptions& options,
                                    const Loaders& loaders) {
  LoadedHead loaded{.kind = head.kind, .specs = {}, .shards = {}};
  int64_t weight_bytes = 0;
  for (size_t i = 0; i < head.shards.size(); ++i) {
    const bool is_own = group_->IsOwn(i);
    const std::string path = PathOf(directory, head.shards[i].file);
    HW_TRY(auto shard, (is_own ? loaders.own : loaders.lazy)->LoadHead({.paths = {&path, 1}}));
    weight_bytes += shard->WeightBytes();
    if (!is_own) continue;
    loaded.specs.push_back(head.shards[i]);
    loaded.shards.push_back(std::move(shard));
  }
  int64_t screen_bytes = 0;
  if (head.planes) {
    HW_TRY(loaded.planes, lmhead::Planes::Open(PathOf(directory, *head.planes), RowsDigest(head),
                                               false, options.pool));
    for (const int rank : GetHosts().HeadRanks()) {
      const Slice shards = GetHosts().HeadOf(rank, head.shards.size());
      screen_bytes +=
          lmhead::ScreenBytesOf(*loaded.planes, {.begin = head.shards[shards.begin].vocab_start,
                                                 .end = head.shards[shards.end - 1].vocab_end});
    }
  }
  group_->SetBytes(weight_bytes, screen_bytes);
  if (loaded.shards.empty()) return {};
  group_->SetOwn(std::make_unique<HeadPart>(std::move(loaded), manifest.model, options.pool,
                                            options.kernels->kernels));
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
  Loaders loaders;
  HW_TRY(loaders.own, device.new_loader(options));
  HW_TRY(loaders.lazy, device.new_loader(lazy_options));
  group_ = std::make_unique<HeadGroup>(link_.get(), manifest.model, head);
  const bool is_divided = !group_->Others().empty();
  if (is_divided) HW_TRY_VOID(LoadHeadParts(manifest, head, directory, options, loaders));

  ShardPaths paths;
  std::vector<int> ranks(manifest.layers.size());
  for (int rank = 0; rank < GetHosts().NumRanks(); ++rank) {
    const Slice layers = GetHosts().LayersOf(rank, ranks.size());
    for (size_t i = layers.begin; i < layers.end; ++i) ranks[i] = rank;
  }
  for (size_t i = 0; i < ranks.size(); ++i) {
    const FileEntry& file = manifest.layers[i].file;
    paths.layers[PathOf(directory, file)] = i;
    if (ranks[i] != 0) others_files_.push_back(file.path);
  }
  for (size_t i = 0; i < head.shards.size(); ++i) {
    const FileEntry& file = head.shards[i].file;
    paths.head[PathOf(directory, file)] = i;
    if (!group_->IsOwn(i)) others_files_.push_back(file.path);
  }
  if (head.planes && group_->OwnShards().IsEmpty()) others_files_.push_back(head.planes->path);
  // Meanwhile the workers have loaded theirs.
  HW_TRY_VOID(note(Gather("loading the weights", nullptr)));
  link_->SayWork("waiting for work");
  ring_ = std::make_unique<LayerRing>(link_.get(), std::move(ranks));
  return std::make_unique<PlacedLoader>(std::move(loaders.own), std::move(loaders.lazy),
                                        std::move(paths), ring_.get(),
                                        is_divided ? group_.get() : nullptr);
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
