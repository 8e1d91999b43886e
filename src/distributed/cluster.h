#pragma once

// Rank 0's hold on all others: finds out whether they have the same package, says which parts are
// whose, and is the Placement by which a model opens as if all of it were here. Drop it after the
// model: it tells the workers that there is no more work.

#include <memory>
#include <string>
#include <vector>

#include "distributed/link.h"
#include "distributed/remote_head.h"
#include "distributed/remote_layers.h"
#include "engine/placement.h"

namespace headway::distributed {

class Cluster final : public Placement {
 public:
  explicit Cluster(std::unique_ptr<Link> link) : link_(std::move(link)) {}
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;
  ~Cluster() override;

  Result<std::unique_ptr<ShardLoader>> NewLoader(const Device& device, const LoaderOptions& options,
                                                 const std::string& directory,
                                                 const Manifest& manifest,
                                                 const HeadSpec& head) override;
  bool Reads(const FileEntry& file) const override;

  const Hosts& GetHosts() const { return link_->GetHosts(); }
  // What all ranks have sent so far; asks them. Not while a step runs. Errors: those of Link.
  Result<Traffic> Sent();
  // Errors: kIo, naming the rank that is lost. Any thread.
  Result<void> CheckLost() { return link_->CheckLost(); }

 private:
  Result<void> Gather(const char* what, const std::vector<std::string>* identity_or_null);
  Result<void> Distribute(const Manifest& manifest, const HeadSpec& head);
  // Of shards that run here, and of those that another rank runs.
  struct Loaders {
    std::unique_ptr<ShardLoader> own, lazy;
  };
  Result<void> LoadHeadParts(const Manifest& manifest, const HeadSpec& head,
                             const std::string& directory, const LoaderOptions& options,
                             const Loaders& loaders);

  const std::unique_ptr<Link> link_;
  std::string failure_;                    // why no model was opened
  std::vector<std::string> others_files_;  // that rank 0 does not compute with
  std::unique_ptr<LayerRing> ring_;        // of the model
  std::unique_ptr<HeadGroup> group_;       //
};

}  // namespace headway::distributed
