#pragma once

// A whole .mlpackage directory: Manifest.json, model.mlmodel, weights. Reading trusts nothing;
// writing is atomic and deterministic (the same model and blobs give the same bytes).

#include <map>
#include <memory>
#include <string>

#include "base/file_writer.h"
#include "base/result.h"
#include "device/coreml/ir/model.h"
#include "device/coreml/package/item_manifest.h"
#include "device/coreml/package/weight_file.h"

namespace headway::mil {

// The weight files of a package. References are resolved by their last path component, as Apple's
// reader does.
class PackageWeights final : public BlobSource {
 public:
  void Add(const std::string& file_name, WeightFile file) {
    files_.emplace(file_name, std::move(file));
  }
  Result<std::span<const std::byte>> Read(const BlobRef& ref, DType dtype,
                                          int64_t num_elements) const override;
  const std::map<std::string, WeightFile>& Files() const { return files_; }
  uint64_t SizeBytes() const;
  // Drops what was read from memory; it is read again when it is used again.
  void ReleasePages() const {
    for (const auto& [name, file] : files_) file.ReleasePages();
  }

 private:
  std::map<std::string, WeightFile> files_;
};

struct Package {
  ItemManifest manifest;
  Model model;
  PackageWeights weights;
};

// Reads and verifies the package at `path`. Errors name the file inside the package: kNotFound (a
// manifest item that does not exist), kCorrupt, kUnsupported, kInvalidInput (a program that does
// not verify).
Result<Package> ReadPackage(const std::string& path);

// Reads without verifying the program, for `inspect`.
Result<Package> ReadPackageUnverified(const std::string& path);

// Builds a package beside `target` and renames it into place. Blobs go to Weights() first, then
// Finish() with the model that refers to them.
class PackageWriter {
 public:
  // Errors: kIo, kInvalidInput (exists and `replace` is false).
  static Result<PackageWriter> Create(const std::string& target, bool replace);

  BlobSink& Weights() { return *weights_; }
  uint64_t WeightBytes() const { return weights_->SizeBytes(); }
  // Verifies `model` against the blobs written, then writes the rest and commits.
  Result<void> Finish(const Model& model);

 private:
  PackageWriter(AtomicDirectory directory, std::unique_ptr<WeightFileWriter> weights)
      : directory_(std::move(directory)), weights_(std::move(weights)) {}

  AtomicDirectory directory_;
  std::unique_ptr<WeightFileWriter> weights_;
};

}  // namespace headway::mil
