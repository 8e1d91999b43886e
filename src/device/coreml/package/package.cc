#include "device/coreml/package/package.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/directory.h"
#include "base/mapped_file.h"
#include "device/coreml/ir/verify.h"
#include "device/coreml/package/proto/model_proto.h"

namespace headway::mil {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxManifestBytes = 1 << 20;
constexpr const char* kItems = "/Data/com.apple.CoreML";
constexpr const char* kWeightName = "weight.bin";
// What MIL calls the directory of model.mlmodel.
constexpr const char* kWeightReference = "@model_path/weights/weight.bin";

// Opens every *.bin of the items that are directories.
Result<void> OpenWeights(const std::string& directory, PackageWeights* weights) {
  HW_TRY(const std::vector<std::string> names, NamesIn(directory));
  for (const std::string& name : names) {
    const fs::path path = fs::path(directory) / name;
    if (path.extension() != ".bin") continue;
    HW_TRY(WeightFile file, WeightFile::Open(path.string()));
    weights->Add(name, std::move(file));
  }
  return {};
}

Result<void> Put(const std::string& path, std::string_view text) {
  HW_TRY(FileWriter writer, FileWriter::Create(path));
  HW_TRY_VOID(writer.Write(text));
  return writer.Close();
}

}  // namespace

Result<std::span<const std::byte>> PackageWeights::Read(const BlobRef& ref, DType dtype,
                                                        int64_t num_elements) const {
  const std::string name = ref.file.substr(ref.file.rfind('/') + 1);
  const auto found = files_.find(name);
  if (found == files_.end()) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("expected a weight file '{}', found none of that name", ref.file));
  }
  return found->second.Read(ref, dtype, num_elements);
}

uint64_t PackageWeights::SizeBytes() const {
  uint64_t total = 0;
  for (const auto& [name, file] : files_) total += file.SizeBytes();
  return total;
}

Result<Package> ReadPackageUnverified(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{}: expected a directory (.mlpackage), found none", path));
  }
  HW_TRY(const std::string manifest_text, ReadTextFile(path + "/Manifest.json", kMaxManifestBytes));
  auto manifest = ParseItemManifest(manifest_text);
  if (!manifest) return Prefixed(std::move(manifest).error(), path);
  Package package;
  package.manifest = *std::move(manifest);
  for (const PackageItem& item : package.manifest.items) {
    const std::string item_path = path + "/Data/" + item.path;
    if (!fs::exists(item_path, error)) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("{}: item '{}' of Manifest.json: expected Data/{}, found nothing",
                              path, item.name, item.path));
    }
    if (fs::is_directory(item_path, error)) HW_TRY_VOID(OpenWeights(item_path, &package.weights));
  }
  HW_TRY(const MappedFile file, MappedFile::Open(path + "/Data/" + package.manifest.Root()->path));
  auto model = DecodeModel(file.Bytes());
  if (!model) return Prefixed(std::move(model).error(), path);
  package.model = *std::move(model);
  return package;
}

Result<Package> ReadPackage(const std::string& path) {
  HW_TRY(Package package, ReadPackageUnverified(path));
  if (Result<void> verified = VerifyModel(package.model, &package.weights); !verified) {
    return Prefixed(std::move(verified).error(), path);
  }
  return package;
}

Result<PackageWriter> PackageWriter::Create(const std::string& target, bool replace) {
  HW_TRY(AtomicDirectory directory, AtomicDirectory::Create(target, replace));
  const std::string items = directory.Path() + kItems;
  std::error_code error;
  fs::create_directories(items + "/weights", error);
  if (error)
    return Fail(ErrorCode::kIo, fmt::format("{}: cannot create: {}", items, error.message()));
  HW_TRY(auto weights,
         WeightFileWriter::Create(items + "/weights/" + kWeightName, kWeightReference));
  return PackageWriter(std::move(directory), std::move(weights));
}

Result<void> PackageWriter::Finish(const Model& model) {
  const bool has_weights = weights_->NumBlobs() > 0;
  const std::string items = directory_.Path() + kItems;
  HW_TRY_VOID(weights_->Close());
  PackageWeights written;
  if (has_weights) {
    HW_TRY_VOID(OpenWeights(items + "/weights", &written));
  } else {
    RemoveTree(items + "/weights");
  }
  HW_TRY_VOID(VerifyModel(model, &written));
  HW_TRY(const std::string bytes, EncodeModel(model));
  HW_TRY_VOID(Put(items + "/model.mlmodel", bytes));
  HW_TRY_VOID(
      Put(directory_.Path() + "/Manifest.json", FormatItemManifest(MakeItemManifest(has_weights))));
  return directory_.Commit();
}

}  // namespace headway::mil
