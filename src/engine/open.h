#pragma once

// The composition root: puts file formats, kernels, threads, tokenizer and executor together. The
// command line tool and tests use the parts; users of the library use headway/engine.h.

#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "base/thread_pool.h"
#include "chat/chat_template.h"
#include "device/device.h"
#include "engine/devices.h"
#include "engine/executor.h"
#include "engine/integrity.h"
#include "engine/pipeline.h"
#include "engine/placement.h"
#include "headway/engine.h"
#include "kernels/kernel_set.h"
#include "tokenizer/tokenizer.h"

namespace headway {

// A second, smaller model that guesses for the first one and runs on its threads.
struct DraftModel {
  std::unique_ptr<IntegrityCheck> integrity;
  std::shared_ptr<Pipeline> pipeline;
  std::shared_ptr<Executor> executor;
  std::string path;
};

struct OpenedModel {
  std::shared_ptr<Placement> placement;  // null: everything runs here
  // That the files are as they were written; null: not asked for. Whoever uses what the model
  // computed asks CheckIntegrity() first.
  std::unique_ptr<IntegrityCheck> integrity;
  // Destroyed in reverse order: the pipeline before what it runs on.
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<kernels::SelectedKernels> kernels;
  std::unique_ptr<ShardLoader> loader;
  std::shared_ptr<Pipeline> pipeline;
  std::shared_ptr<Executor> executor;  // of the pipeline: what its conversations share
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  // Why there is none matters only to who wants a chat.
  std::unique_ptr<Result<chat::ChatTemplate>> chat;
  std::optional<DraftModel> draft;
  ModelSummary summary;
  std::mutex generating = {};  // held by Engine::Generate(): the executor runs one step at a time
};

// Whether the contents of a package's files are compared: in the background (OpenedModel::integrity),
// or not, because this process has just written or compared them.
enum class Contents { kCheck, kTrust };

// Opens a package directory; `options` say how, but for the cache and the draft model. A GGUF is
// opened by pack/open_model.h. Errors: as Engine::Open.
Result<std::unique_ptr<OpenedModel>> OpenPackage(const std::string& directory,
                                                 const EngineOptions& options,
                                                 Contents contents = Contents::kCheck);

// What the check of the files has found so far, the draft model's among them, or, with `wait`, in the
// end. Errors: those of IntegrityCheck.
Result<void> CheckIntegrity(const OpenedModel& model, bool wait);

// Opens the package `directory`, made of `path`, as the draft model of `model`. Errors: also
// kInvalidInput (another vocabulary).
Result<void> OpenDraftModel(const std::string& directory, const std::string& path,
                            bool verify_contents, OpenedModel* model);
// What the file of a draft model can be refused for before it is packed. Errors: as above.
Result<void> CheckDraftFile(const std::string& gguf_path, const OpenedModel& model);

// Errors: kInvalidInput, unless the number makes a team (0: all processors).
Result<void> CheckThreads(int threads);

}  // namespace headway
