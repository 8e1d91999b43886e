#pragma once

// What all endpoints share: the model, its scheduler, and how a request for text becomes one to the
// scheduler.

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/open.h"
#include "engine/scheduler.h"
#include "grammar/automaton.h"
#include "grammar/token_trie.h"
#include "server/answers.h"
#include "server/api_error.h"
#include "server/generation_options.h"
#include "server/http.h"

namespace headway::server {

struct ServiceOptions {
  std::string alias =
      {};  // the model's name for clients, with commas further ones; empty: its file's
  std::string model_path = {};  // as the user wrote it, for /props
  SchedulerOptions scheduler = {};
  int64_t most_drafts = 7;  // of prompt lookup, a step; 0: none
  KvType kv = KvType::kF16;
  CertifiedOptions certified = {};
  // What requests for text have that do not say it, by llama-server's names: {"temperature": 0.7}.
  // Null: nothing.
  Json defaults = nullptr;
  // Of embeddings, unless a request says it: "mean", "last" or "none"; empty: mean.
  std::string pooling = {};
  std::string chat_template = {};  // in place of the file's, for /props; OpenedModel::chat has it
};

class Service {
 public:
  // Errors: those of Scheduler::Start.
  static Result<std::unique_ptr<Service>> Start(std::unique_ptr<OpenedModel> model,
                                                ServiceOptions options);

  const OpenedModel& Model() const { return *model_; }
  const tokenizer::Tokenizer& Tokens() const { return *model_->tokenizer; }
  const ServiceOptions& Options() const { return options_; }
  const std::string& ModelName() const { return aliases_.front(); }
  const std::vector<std::string>& Aliases() const { return aliases_; }
  int64_t ContextTokens() const { return scheduler_->Options().context_tokens; }
  int64_t StartedAt() const { return started_at_; }  // seconds since 1970
  Scheduler* GetScheduler() const { return scheduler_.get(); }

  // What requests for text have that do not say it.
  const Json& Defaults() const { return options_.defaults; }
  // The body of a request for text, with the server's defaults. Errors: 400.
  Parsed<Json> ReadGeneration(const HttpRequest& http) const;

  // A request of `prompt`, which must leave room for a token. Errors: 400, naming the field.
  Parsed<ScheduledRequest> Prepare(std::vector<int32_t> prompt, const GenerationOptions& options,
                                   const HttpRequest& http) const;
  // The same for each of the options' choices; where sampling is on, they differ by their seeds.
  Parsed<std::vector<ScheduledRequest>> PrepareChoices(std::vector<int32_t> prompt,
                                                       const GenerationOptions& options,
                                                       const HttpRequest& http) const;
  // Submits them. Errors: those of Answers::Begin and WaitForFirst.
  Parsed<std::unique_ptr<Answers>> Begin(std::vector<ScheduledRequest> requests,
                                         const GenerationOptions& options, bool starts_text,
                                         const HttpRequest& http) const;

  // Refuses what comes; what runs goes on.
  void Drain() { scheduler_->Close(); }
  void CancelAll() { scheduler_->CancelAll(); }

 private:
  struct Compiled {
    TextForm form;
    std::shared_ptr<const grammar::Automaton> automaton;
  };

  Service(std::unique_ptr<OpenedModel> model, ServiceOptions options);
  Parsed<std::shared_ptr<const grammar::Automaton>> Compile(const TextForm& form) const;
  const std::shared_ptr<const grammar::TokenTrie>& Trie() const;

  const std::unique_ptr<OpenedModel> model_;
  const ServiceOptions options_;
  const std::vector<std::string> aliases_;  // at least one
  const int64_t started_at_;
  mutable std::mutex mutex_;                   // guards the next two
  mutable std::list<Compiled> compiled_ = {};  // the most recently used first
  mutable std::shared_ptr<const grammar::TokenTrie> trie_ = nullptr;
  std::unique_ptr<Scheduler> scheduler_;  // ends first
};

// "chatcmpl-" and 24 random characters.
std::string NewId(const std::string& prefix);
uint64_t RandomNumber();
int64_t UnixSeconds();

}  // namespace headway::server
