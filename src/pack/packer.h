#pragma once

// Writes the shards of a planned package, those that a killed pack has finished excepted. Inside
// this folder only.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "device/device.h"
#include "gguf/gguf_file.h"
#include "manifest/manifest.h"
#include "pack/journal.h"
#include "pack/pack.h"
#include "pack/pack_plan.h"
#include "tensor/tensor_view.h"

namespace headway::pack {

// "4", "1..4", "1,4": as the manifest writes widths.
std::string TokensText(const std::vector<StepWidth>& widths);

class ShardPacker {
 public:
  // Everything must outlive the packer.
  ShardPacker(const gguf::GgufFile& file, Emitter* emitter, Construction* construction,
              const PackPlan& plan, const PackOptions& options)
      : file_(file),
        emitter_(emitter),
        construction_(*construction),
        plan_(plan),
        options_(options),
        progress_("packing", plan.total_bytes, options.show_progress, false, options.progress) {}

  // Embedding, layers and heads; enters them in `manifest`. Errors: those of the emitter;
  // kCancelled; kIo.
  Result<void> EmitShards(Manifest* manifest);

 private:
  // One file for all widths, `name` and the device's ending.
  Result<FileEntry> EmitWidths(const graph::Graph& shard, const std::string& name,
                               std::optional<HeadForm> head);
  // `head_rows`: rows that stand for the head's own, in that order; empty: the head's own.
  Result<FileEntry> Emit(const graph::Graph& shard, const ShardUse& use, const std::string& name,
                         std::span<const int32_t> head_rows = {});
  // A certified head whose signs are multiplied on the device: rows, planes, programs.
  Result<void> EmitScreened(const PackPlan::PlannedHead& head, const Manifest& manifest,
                            HeadSpec* spec);
  // The file `name`: what a killed pack has finished, or what `write` makes at the path given.
  Result<FileEntry> EmitUnlessDone(
      const std::string& name,
      const std::function<Result<FileEntry>(const std::string& path)>& write);
  Result<ConstTensorView> Find(const std::string& weight) const;

  const gguf::GgufFile& file_;
  Emitter* const emitter_;
  Construction& construction_;
  const PackPlan& plan_;
  const PackOptions& options_;
  uint64_t done_bytes_ = 0;
  Progress progress_;
};

inline constexpr const char* kPlanesFileName = "head_certified.planes";

// Builds the planes of `rows` [V, D] and writes them to `directory`. `directions`: the common ones
// [k, D]; nothing: those of the rows alone. Errors: those of lmhead::BuildPlanes, kIo.
Result<FileEntry> WritePlanes(const ConstTensorView& rows, const std::string& rows_digest,
                              std::optional<std::vector<float>> directions,
                              const std::string& directory, const PackOptions& options);

}  // namespace headway::pack
