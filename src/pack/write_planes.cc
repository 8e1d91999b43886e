#include "pack/write_planes.h"

#include <filesystem>
#include <utility>

#include "base/file_writer.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "lmhead/build_planes.h"

namespace headway::compile {

Result<FileEntry> WritePlanes(const ConstTensorView& rows, const std::string& rows_digest,
                              lmhead::RecordedStates states, const std::string& directory,
                              const PackOptions& options) {
  lmhead::BuildOptions build{.seed = {},
                             .states = std::move(states),
                             .most_directions = options.most_directions,
                             .rows_digest = rows_digest,
                             .progress = nullptr,
                             .cancelled_or_null = options.cancelled_or_null};
  if (options.rotation_seed) {
    build.seed = lmhead::RotationSeed::FromNumber(*options.rotation_seed);
  } else {
    HW_TRY(build.seed, lmhead::RotationSeed::FromSystem());
  }
  Progress progress("certified head", static_cast<uint64_t>(rows.shape[0]), options.show_progress);
  build.progress = [&](int64_t done) { progress.Update(static_cast<uint64_t>(done), "rows"); };
  HW_TRY(const auto pool,
         ThreadPool::Start(options.threads == 0 ? DefaultThreads() : options.threads));
  HW_TRY(const AlignedBuffer bytes, lmhead::BuildPlanes(rows, build, pool.get()));
  const std::string path = (std::filesystem::path(directory) / kPlanesFileName).string();
  HW_TRY(FileWriter writer, FileWriter::Create(path));
  HW_TRY_VOID(writer.Write(std::span<const std::byte>(bytes.data(), bytes.SizeBytes())));
  const std::string digest = writer.DigestHex();
  HW_TRY_VOID(writer.Close());
  return FileEntry{.path = kPlanesFileName, .bytes = writer.SizeBytes(), .digest = digest};
}

}  // namespace headway::compile
