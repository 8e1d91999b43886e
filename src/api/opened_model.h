#pragma once

// The composition root: the only place that lists devices and puts file formats, kernels, threads,
// tokenizer and runtime together. The command line tool and tests use the parts; users of the
// library use headway/engine.h.

#include <memory>
#include <string>

#include "api/devices.h"
#include "backend/backend.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "chat/chat_template.h"
#include "headway/engine.h"
#include "kernels/kernel_set.h"
#include "runtime/executor.h"
#include "runtime/pipeline.h"
#include "tokenizer/tokenizer.h"

namespace headway {

// A second, smaller model that guesses for the first one and runs on its threads.
struct DraftModel {
  std::shared_ptr<Pipeline> pipeline;
  std::shared_ptr<Executor> executor;
  std::string path;
};

struct OpenedModel {
  // Destroyed in reverse order: the pipeline before what it runs on.
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<kernels::SelectedKernels> kernels;
  std::unique_ptr<Backend> backend;
  std::shared_ptr<Pipeline> pipeline;
  std::shared_ptr<Executor> executor;  // of the pipeline: what its conversations share
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  // Why there is none matters only to who wants a chat.
  std::unique_ptr<Result<chat::ChatTemplate>> chat;
  std::optional<DraftModel> draft;
  ModelSummary summary;
};

// Opens a package or a GGUF (packing it into the cache first). See Engine::Open.
Result<std::unique_ptr<OpenedModel>> OpenModel(const std::string& path,
                                               const EngineOptions& options);

// Errors: kInvalidInput, unless the number makes a team (0: all processors).
Result<void> CheckThreads(int threads);

}  // namespace headway
