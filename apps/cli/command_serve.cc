// headway serve: a model over HTTP.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "base/notice.h"
#include "base/platform.h"
#include "check_gates.h"
#include "commands.h"
#include "hosts.h"
#include "input.h"
#include "interrupt.h"
#include "lmhead/certificate.h"
#include "numbers.h"
#include "output.h"
#include "pack/open_model.h"
#include "serve_environment.h"
#include "serve_settings.h"
#include "server/server.h"

namespace headway::cli {
namespace {

Result<void> CheckRange(const char* flag, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return {};
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("{}: expected {} to {}, found {}", flag, least, most, value));
}

Result<void> CheckNumbers(const ServeArguments& arguments) {
  constexpr int64_t kMany = int64_t{1} << 31;
  HW_TRY_VOID(CheckRange("--port", arguments.port.value_or(0), 0, 65535));
  HW_TRY_VOID(CheckRange("--ctx-size", arguments.context_tokens.value_or(0), 0, kMany));
  HW_TRY_VOID(CheckRange("--parallel", arguments.parallel.value_or(1), 1, 256));
  HW_TRY_VOID(CheckRange("--queue", arguments.queue, 0, 1000000));
  HW_TRY_VOID(CheckRange("--kv-tokens", arguments.kv_tokens, 0, kMany));
  HW_TRY_VOID(CheckRange("--prompt-budget", arguments.prompt_budget, 1, 256));
  const std::string cors = arguments.cors.value_or("");
  if (cors.size() > 1 && cors.find('*') != std::string::npos) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("--cors: expected * alone, or origins, found '{}'", cors));
  }
  HW_TRY_VOID(CheckRange("--drain", arguments.drain_s, 0, 86400));
  return CheckRange("--draft-tokens", arguments.draft_tokens, 0, 15);
}

// The parts of `text` that are not empty, without blanks behind them.
std::vector<std::string> PartsOf(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    std::string part = text.substr(at, end - at);
    while (!part.empty() && (part.back() == '\r' || part.back() == ' ')) part.pop_back();
    if (!part.empty()) parts.push_back(std::move(part));
    at = end + 1;
  }
  return parts;
}

Result<std::vector<std::string>> ReadKeys(const ServeArguments& arguments) {
  std::vector<std::string> keys;
  if (arguments.api_key) {
    keys = PartsOf(*arguments.api_key, ',');
    if (keys.empty())
      return Fail(ErrorCode::kInvalidInput, "--api-key: expected a key, found an empty one");
  }
  if (arguments.api_key_file) {
    constexpr uint64_t kMostBytes = uint64_t{1} << 20;
    HW_TRY(const std::string text, ReadInput(*arguments.api_key_file, kMostBytes));
    std::vector<std::string> lines = PartsOf(text, '\n');
    std::erase_if(lines, [](const std::string& line) { return line.front() == '#'; });
    if (lines.empty()) {
      return Fail(ErrorCode::kInvalidInput, fmt::format("{}: expected keys, one a line, found none",
                                                        *arguments.api_key_file));
    }
    keys.insert(keys.end(), lines.begin(), lines.end());
  }
  return keys;
}

// Unless told otherwise, keys and values of all conversations take at most half of the free memory.
Result<int64_t> KvBudget(const ServeArguments& arguments, const OpenedModel& model,
                         int64_t parallel) {
  const int64_t model_context = model.pipeline->manifest().ContextTokens();
  const int64_t asked = arguments.context_tokens.value_or(0);
  const int64_t context = asked == 0 ? model_context : std::min(asked, model_context);
  if (arguments.kv_tokens > 0) return arguments.kv_tokens;
  const uint64_t free_bytes = platform::AvailableMemoryBytes();
  if (free_bytes == 0) return parallel * context;
  SessionOptions session;
  session.capacity_tokens = context;
  session.kv = ParseKv(arguments.kv);
  HW_TRY(const auto sequence, model.executor->NewSequence(std::move(session)));
  const uint64_t token_bytes =
      std::max<uint64_t>(sequence->GetCounters().kv_bytes / static_cast<uint64_t>(context), 1);
  const auto affordable = static_cast<int64_t>(free_bytes / 2 / token_bytes);
  return std::max<int64_t>(std::min(parallel * context, affordable), 1);
}

Result<server::ServerOptions> OptionsOf(const ServeArguments& arguments, const OpenedModel& model) {
  server::ServerOptions options;
  options.http.host = arguments.host.value_or("127.0.0.1");
  options.http.port = arguments.port.value_or(8080);
  options.cors_origin = arguments.cors.value_or("");
  server::ServiceOptions& service = options.service;
  service.defaults = RequestDefaults(arguments);
  service.pooling = arguments.pooling.value_or("");
  service.alias = arguments.alias.value_or("");
  service.model_path = *arguments.model;
  service.most_drafts = arguments.draft_tokens;
  service.kv = ParseKv(arguments.kv);
  if (!arguments.certificate.empty()) {
    HW_TRY(service.certified.mode, lmhead::ParseCertificateMode(arguments.certificate));
    if (!model.pipeline->Head().planes) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("--certificate: expected a certified head, found {}",
                              model.pipeline->Head().kind));
    }
  }
  SchedulerOptions& scheduler = service.scheduler;
  scheduler.most_rows = arguments.parallel.value_or(8);
  scheduler.most_waiting = arguments.queue;
  scheduler.prompt_tokens_a_step = arguments.prompt_budget;
  scheduler.context_tokens = arguments.context_tokens.value_or(0);
  HW_TRY(scheduler.kv_tokens, KvBudget(arguments, model, scheduler.most_rows));
  return options;
}

Result<void> SayWhere(const server::Server& server, const server::ServerOptions& options) {
  const bool is_v6 = options.http.host.find(':') != std::string::npos;
  return WriteOut(fmt::format("headway: serving {} at http://{}{}{}:{}\n",
                              server.GetService().ModelName(), is_v6 ? "[" : "", options.http.host,
                              is_v6 ? "]" : "", server.Port()));
}

}  // namespace

Result<void> Run(const ServeArguments& given) {
  HW_TRY(const ServeArguments arguments, WithEnvironment(given));
  if (const auto unknown = UnknownVariables(); !unknown.empty()) {
    Notice(fmt::format("headway: {}: not known here, and ignored\n", fmt::join(unknown, ", ")));
  }
  if (!arguments.model) {
    return Fail(ErrorCode::kInvalidInput,
                "serve: expected a model, or LLAMA_ARG_MODEL in the environment, found none");
  }
  const std::atomic<bool>* const stop = CatchInterrupts();
  EngineOptions engine_options{.threads = arguments.threads.value_or(0),
                               .instruction_set = ForcedInstructionSet(),
                               .topology = arguments.topology,
                               .head = arguments.head,
                               .load = ParseLoad(arguments.load),
                               .compute_units = arguments.compute_units,
                               .verify_contents = arguments.verify,
                               .show_progress = true,
                               .cancelled_or_null = stop};
  HW_TRY(const auto cluster, JoinHosts(arguments.hosts, *arguments.model, &engine_options));
  HW_TRY_VOID(CheckNumbers(arguments));
  HW_TRY(auto keys, ReadKeys(arguments));
  CatchTermination();
  HW_TRY(const bool gated, CheckGates(*arguments.model, arguments.kv, arguments.allow_ungated));
  HW_TRY(auto model, pack::OpenModel(*arguments.model, engine_options));
  if (!gated && !arguments.allow_ungated) {
    Notice(fmt::format("headway: {0} was never gated (headway gate all {0})\n", *arguments.model));
  }
  HW_TRY_VOID(CheckIntegrity(*model, true));  // before the first answer
  HW_TRY(std::string chat_template, SetChatTemplate(arguments, model.get()));
  HW_TRY(server::ServerOptions options, OptionsOf(arguments, *model));
  options.service.chat_template = std::move(chat_template);
  options.api_keys = std::move(keys);
  HW_TRY(const auto server, server::Server::Start(std::move(model), options));
  HW_TRY_VOID(SayWhere(*server, options));
  while (!stop->load(std::memory_order_relaxed)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    // Without a rank no request can be answered.
    if (cluster != nullptr) HW_TRY_VOID(cluster->CheckLost());
  }
  Notice("headway: finishing what runs; again to end at once\n");
  server->Drain(static_cast<double>(arguments.drain_s));
  return {};
}

}  // namespace headway::cli
