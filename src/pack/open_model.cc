#include "pack/open_model.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "pack/auto_head.h"
#include "pack/package_cache.h"

namespace headway::pack {
namespace fs = std::filesystem;

Result<std::string> PackageDirectory(const std::string& path, const EngineOptions& options) {
  std::error_code error;
  if (!fs::exists(path, error))
    return Fail(ErrorCode::kNotFound, fmt::format("{}: no such file or directory", path));
  if (fs::is_directory(path, error)) return path;
  return PackageFor(path, options);
}

Result<std::unique_ptr<OpenedModel>> OpenModel(const std::string& path,
                                               const EngineOptions& options) {
  // What packing would be in vain for.
  HW_TRY_VOID(CheckThreads(options.threads));
  HW_TRY_VOID(kernels::SelectKernels(options.instruction_set));
  HW_TRY(const std::string directory, PackageDirectory(path, options));
  HW_TRY(auto model, OpenPackage(directory, options));
  const std::string& draft = options.draft_model;
  if (draft.empty()) return model;
  std::error_code error;
  if (fs::is_regular_file(draft, error)) HW_TRY_VOID(CheckDraftFile(draft, *model));
  EngineOptions draft_options = options;
  draft_options.topology = "";
  draft_options.head = kHeadOfAuto;  // no states are recorded for a guess
  HW_TRY(const std::string draft_directory, PackageDirectory(draft, draft_options));
  HW_TRY_VOID(OpenDraftModel(draft_directory, draft, options.verify_contents, model.get()));
  return model;
}

}  // namespace headway::pack

namespace headway {

Result<Engine> Engine::Open(const std::string& path, const EngineOptions& options) {
  HW_TRY(auto model, pack::OpenModel(path, options));
  return Engine(std::move(model));
}

}  // namespace headway
