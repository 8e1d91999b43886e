#pragma once

// What headway::Engine does with an opened model, for the C API, which has one, too.

#include <cstdint>
#include <functional>
#include <span>

#include "base/result.h"
#include "engine/open.h"
#include "headway/engine.h"

namespace headway {

// Engine::Generate.
Result<Generation> Generate(OpenedModel* model, std::span<const int32_t> prompt,
                            const GenerateOptions& options,
                            const std::function<void(const GeneratedToken&)>& on_token);

}  // namespace headway
