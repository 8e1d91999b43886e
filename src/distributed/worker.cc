#include "distributed/worker.h"

#include <utility>

#include "base/exhaustion.h"
#include "distributed/package_files.h"
#include "distributed/worker_head.h"
#include "distributed/worker_layers.h"
#include "engine/devices.h"
#include "engine/open.h"
#include "lmhead/planes.h"

namespace headway::distributed {
namespace {

// A worker with its shards.
class Worker {
 public:
  Worker(Link* link, const WorkerOptions& options) : link_(*link), options_(options) {}

  Result<std::vector<std::string>> FindModel();
  Result<void> Load(const std::string& head_kind);
  // One piece of work that is neither the first nor the last.
  Result<void> Serve(Work work, Reader* reader);

 private:
  std::string Name() const { return link_.MyName(); }

  Link& link_;
  const WorkerOptions& options_;
  std::string directory_;
  Manifest manifest_;
  std::unique_ptr<kernels::SelectedKernels> kernels_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<ShardLoader> loader_;
  std::unique_ptr<WorkerLayers> layers_;  // null: none here
  std::unique_ptr<WorkerHead> head_;      // null: none here
};

Result<std::vector<std::string>> Worker::FindModel() {
  HW_TRY_VOID(CheckThreads(options_.threads));
  HW_TRY(const kernels::SelectedKernels selected, kernels::SelectKernels(options_.instruction_set));
  kernels_ = std::make_unique<kernels::SelectedKernels>(selected);
  HW_TRY(directory_, options_.directory);
  HW_TRY(manifest_, OpenManifest(directory_, false));
  HW_TRY(pool_, ThreadPool::Start(options_.threads == 0 ? DefaultThreads() : options_.threads));
  return Identity(manifest_);
}

Result<void> Worker::Load(const std::string& head_kind) {
  const Hosts& hosts = link_.GetHosts();
  const int rank = link_.Rank();
  HW_TRY(const Device* const device, FindDevice(manifest_.device));
  HW_TRY(loader_, device->new_loader(
                      {.pool = pool_.get(), .kernels = kernels_.get(), .load = options_.load}));
  HW_TRY(const HeadSpec* const spec, ChooseHead(manifest_, head_kind, directory_));
  HW_TRY_VOID(CheckFiles(directory_, FilesOf(hosts, rank, manifest_, *spec)));
  const auto path_of = [&](const FileEntry& file) { return directory_ + "/" + file.path; };
  const Slice layers = hosts.LayersOf(rank, manifest_.layers.size());
  if (!layers.IsEmpty()) {
    layers_ = std::make_unique<WorkerLayers>(&link_, manifest_.layers.size(), manifest_.model,
                                             kernels_->kernels);
    for (size_t i = layers.begin; i < layers.end; ++i) {
      const std::string path = path_of(manifest_.layers[i].file);
      HW_TRY(auto shard, loader_->LoadLayers({&path, 1}));
      layers_->Add(std::move(shard));
    }
  }
  const Slice shards = hosts.HeadOf(rank, spec->shards.size());
  if (shards.IsEmpty()) return {};
  LoadedHead loaded{.kind = spec->kind, .specs = {}, .shards = {}};
  for (size_t i = shards.begin; i < shards.end; ++i) {
    const std::string path = path_of(spec->shards[i].file);
    HW_TRY(auto shard, loader_->LoadHead({.paths = {&path, 1}}));
    loaded.specs.push_back(spec->shards[i]);
    loaded.shards.push_back(std::move(shard));
  }
  if (spec->planes) {
    HW_TRY(loaded.planes,
           lmhead::Planes::Open(path_of(*spec->planes), RowsDigest(*spec), false, pool_.get()));
  }
  head_ = std::make_unique<WorkerHead>(&link_, std::move(loaded), manifest_.model, pool_.get(),
                                       kernels_->kernels);
  return {};
}

Result<void> Worker::Serve(Work work, Reader* reader) {
  link_.SayWork(work == Work::kStep ? "a step" : "the head");
  if (work == Work::kTraffic) {
    Writer writer;
    writer.Put(link_.Sent());
    return link_.Send(0, Channel::kReply, writer.Take(), false);
  }
  if (work == Work::kStep && layers_ != nullptr) return layers_->Run(reader);
  if (head_ != nullptr) return head_->Answer(work, reader);
  return Fail(ErrorCode::kIo, Name() + ": work for another rank");
}

Result<void> Reply(Link* link, const Result<void>& done, const std::vector<std::string>& lines) {
  Writer writer;
  writer.PutText(done ? "" : done.error().message);
  writer.Put<uint64_t>(lines.size());
  for (const std::string& line : lines) writer.PutText(line);
  return link->Send(0, Channel::kReply, writer.Take());
}

}  // namespace

Result<WorkerEnd> RunWorker(Link* link, const WorkerOptions& options) {
  Worker worker(link, options);
  const auto found = worker.FindModel();
  HW_TRY_VOID(found ? Reply(link, {}, *found)
                    : Reply(link, tl::unexpected<Error>(found.error()), {}));
  bool has_model = false;
  for (;;) {
    link->SayWork("waiting for work");
    // Steps come from the rank with the layers before.
    HW_TRY(const Message message, link->Receive(Channel::kWork, kAnyRank));
    Reader reader(message.bytes);
    const auto work = reader.Get<Work>();
    if (work == Work::kStop) return WorkerEnd{.had_work = reader.GetText().empty() && has_model};
    if (work == Work::kAssign) {
      const Result<void> loaded =
          OrOutOfMemory("its part of the model", [&] { return worker.Load(reader.GetText()); });
      has_model = loaded.has_value();
      HW_TRY_VOID(Reply(link, loaded, {}));
      continue;
    }
    HW_TRY_VOID(worker.Serve(work, &reader));
  }
}

}  // namespace headway::distributed
