#pragma once

// A device: what it is like, how shards become its files, and how those are loaded. One folder and
// one `Device` each below this one; devices do not see each other, and the rest of the program sees
// none of them but through the list (api/devices.h).

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/thread_pool.h"
#include "device/loaded_head_shard.h"
#include "device/loaded_layer_shard.h"
#include "device/row_table.h"
#include "device/traits.h"
#include "headway/load_weights.h"

namespace headway {

namespace kernels {
struct SelectedKernels;
}  // namespace kernels

class Emitter;
struct Device;
struct DeviceOptions;
struct ShardDescription;
struct StoredShard;

// What a shard of a head is loaded from.
struct HeadFiles {
  std::span<const std::string> paths;  // one a width; all hold the same weights
  // Where the programs are those of ScreenEmitter::EmitScreen() for rows from `first_row` of the
  // head on: the file of EmitRows(), and what has the rows where that has none.
  std::string rows = {};
  std::string embedding = {};
  int64_t first_row = 0;
};

// Maps shard files and checks all of them that is not weights. Errors of all: kCorrupt,
// kUnsupported, kNotFound, naming the file.
class ShardLoader {
 public:
  virtual ~ShardLoader() = default;
  const Device& GetDevice() const { return device_; }
  ThreadPool* Pool() const { return pool_; }
  // What computes its shards, for people: "interpreted", "Core ML"; empty: the host's own kernels.
  virtual std::string_view Computer() const { return ""; }
  // False: there is no such device here. Its programs are interpreted, and where their ops run is
  // predicted.
  virtual bool IsDevice() const { return true; }

  // One shard made for several widths; all paths hold the same weights.
  virtual Result<std::unique_ptr<LoadedLayerShard>> LoadLayers(
      std::span<const std::string> paths) = 0;
  virtual Result<std::unique_ptr<LoadedHeadShard>> LoadHead(const HeadFiles& files) = 0;
  virtual Result<std::unique_ptr<RowTable>> LoadEmbedding(const std::string& path) = 0;
  // Whether a file of so many bytes that the host reads at every step is copied into memory first.
  virtual bool CopiesIntoMemory(uint64_t bytes) const = 0;

 protected:
  ShardLoader(const Device& device, ThreadPool* pool) : device_(device), pool_(pool) {}

 private:
  const Device& device_;
  ThreadPool* const pool_;
};

// What a loader works with. All must outlive it and everything it loads.
struct LoaderOptions {
  ThreadPool* pool = nullptr;
  const kernels::SelectedKernels* kernels = nullptr;
  LoadWeights load = LoadWeights::kAuto;
  // Weights come into memory when they are used, if they ever are: what runs elsewhere is opened here
  // for what it is like.
  bool lazy = false;
  // EngineOptions::compute_units.
  std::string compute_units = {};
};

struct Device {
  DeviceTraits traits;
  // Errors: kInvalidInput (options that the device does not have).
  Result<std::unique_ptr<Emitter>> (*new_emitter)(const DeviceOptions& options) = nullptr;
  // Errors: kInvalidInput, kUnsupported (compute units that are not here).
  Result<std::unique_ptr<ShardLoader>> (*new_loader)(const LoaderOptions& options) = nullptr;
  // What is in the shard at `path`. Errors: as loading, but that a program need not verify.
  Result<ShardDescription> (*describe)(const std::string& path) = nullptr;

  // Null: the device has no packages of its own that stand without a manifest of ours.
  bool (*is_package)(const std::string& path) = nullptr;
  // A shard of layers or head; with `rows_path`, one whose rows the host multiplies (HeadFiles).
  // Null: shards store the model file's own rows.
  Result<StoredShard> (*open_stored)(const std::string& path, const std::string& rows_path,
                                     const std::string& embedding_path) = nullptr;
  bool StoresOwnRows() const { return open_stored != nullptr; }
};

}  // namespace headway
