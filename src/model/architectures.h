#pragma once

// The architectures: which keys of a GGUF one has, and its forward pass. One is added by a file in
// architectures/, its declaration here and its place in the list of model.cc. Inside this folder
// only.

#include <span>
#include <string_view>

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "manifest/model_config.h"
#include "model/model_builder.h"

namespace headway::model {

struct Architecture {
  std::string_view name;    // general.architecture
  std::string_view models;  // that have it, for messages; empty: those that the name says
  // Of its namespace, besides those that all have (known_keys.h): "logit_scale".
  std::span<const std::string_view> keys = {};
  // Fills the configuration, whose architecture is set. Errors: as ReadModelConfig.
  Result<void> (*read)(const gguf::GgufFile& file, ModelConfig* config);
  // From token ids to logits.
  void (*build)(const ModelConfig& config, ModelBuilder* builder);
};

extern const Architecture kErnie45;
extern const Architecture kExaone4;
extern const Architecture kGemma2;
extern const Architecture kGemma3;
extern const Architecture kGranite;
extern const Architecture kLlama;
extern const Architecture kPhi3;
extern const Architecture kQwen2;
extern const Architecture kQwen3;
extern const Architecture kSmollm3;

}  // namespace headway::model
