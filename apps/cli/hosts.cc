#include "hosts.h"

#include <fmt/format.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/notice.h"
#include "distributed/mpi.h"
#include "distributed/predict.h"
#include "distributed/worker.h"
#include "interrupt.h"
#include "manifest/manifest.h"
#include "pack/open_model.h"

namespace headway::cli {
namespace {

constexpr double kShortestTimeout = 0.2;
constexpr double kLongestTimeout = 3600.0;

// A GGUF is packed for the ranks: layers one by one, so that any number of ranks has equal parts.
void FitToHosts(const distributed::Hosts& hosts, const std::string& model, EngineOptions* options) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(model, error)) return;
  if (options->topology.empty()) options->topology = "1";
  const bool is_auto = options->head.empty() || options->head == "auto";
  constexpr int kShardsOfAuto = 4;
  if (is_auto && hosts.HeadParts() > kShardsOfAuto)
    options->head = fmt::format("full:{}", hosts.HeadParts());
}

// Workers have no stdout, and of errors only those that rank 0 cannot tell.
[[noreturn]] void Work(std::unique_ptr<distributed::Link> link, const std::string& model,
                       const EngineOptions& options) {
  int status = 0;
  {
    EngineOptions quiet = options;
    quiet.show_progress = false;
    const auto end =
        distributed::RunWorker(link.get(), {.directory = pack::PackageDirectory(model, quiet),
                                            .threads = options.threads,
                                            .instruction_set = options.instruction_set,
                                            .load = options.load});
    if (!end) {
      std::signal(SIGTERM, SIG_IGN);  // mpirun's answer to the first rank that ends
      Notice("headway: " + end.error().message + "\n");
      status = 2;
    } else if (!end->had_work) {
      status = 2;
    }
    link.reset();
  }
  std::exit(status);  // NOLINT(concurrency-mt-unsafe): the threads have ended
}

}  // namespace

Result<std::shared_ptr<distributed::Cluster>> JoinHosts(const HostsArguments& arguments,
                                                        const std::string& model,
                                                        EngineOptions* options) {
  if (arguments.hosts.empty()) return std::shared_ptr<distributed::Cluster>();
  HW_TRY(auto transport, distributed::OpenMpi());
  const int rank = transport->Rank();
  const auto fail = [&](const Error& error) -> tl::unexpected<Error> {
    transport->Close(true);
    if (rank != 0) std::exit(2);  // NOLINT(concurrency-mt-unsafe): rank 0 says the same
    return tl::unexpected<Error>(error);
  };
  const auto hosts = distributed::Hosts::Parse(arguments.hosts, transport->NumRanks());
  if (!hosts) return fail(hosts.error());
  const double timeout = arguments.timeout_s;
  if (!(timeout >= kShortestTimeout && timeout <= kLongestTimeout)) {
    return fail({.code = ErrorCode::kInvalidInput,
                 .message = fmt::format("--hosts-timeout: expected {} to {} seconds, found {}",
                                        kShortestTimeout, kLongestTimeout, timeout)});
  }
  const std::chrono::milliseconds wait(std::llround(timeout * 1000.0));
  HW_TRY(auto link, distributed::Link::Open(std::move(transport), *hosts, wait));
  FitToHosts(*hosts, model, options);
  ReportTermination(
      fmt::format("headway: {}: ended by SIGTERM, as mpirun does to all ranks when "
                  "one is lost\n",
                  link->MyName()));
  if (rank != 0) Work(std::move(link), model, *options);
  auto cluster = std::make_shared<distributed::Cluster>(std::move(link));
  options->placement = cluster;
  return cluster;
}

void HostsMeter::Start() {
  if (cluster_ == nullptr || started_) return;
  started_ = true;
  before_ = cluster_->Sent();
}

Result<HostsReport> HostsMeter::Finish(const ModelSummary& model, uint64_t steps) {
  if (cluster_ == nullptr || !started_) return HostsReport{};
  HW_TRY(const distributed::Traffic before, before_);
  HW_TRY(const distributed::Traffic after, cluster_->Sent());
  HW_TRY(const Manifest manifest, OpenManifest(model.package_directory, false));
  const distributed::Hosts& hosts = cluster_->GetHosts();
  const HeadSpec* const head = FindHead(manifest, model.head);
  return HostsReport{.ranks = hosts.NumRanks(),
                     .layers = hosts.LayerParts(),
                     .head = hosts.HeadParts(),
                     .steps = steps,
                     // The hash of the last logits, which is no step.
                     .counted = after - before - distributed::PredictLogits(hosts, manifest, *head),
                     .predicted = distributed::PredictStep(hosts, manifest, *head)};
}

std::string HostsLine(const HostsReport& report) {
  if (report.ranks == 0) return "";
  const auto a_step = [&](uint64_t count) {
    return report.steps == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(report.steps);
  };
  return fmt::format(
      "hosts    {} ranks (layers {}, head {}); a step {:.2f} messages, {:.1f} bytes, {:.2f} "
      "reductions (predicted {}, {}, {})\n",
      report.ranks, report.layers, report.head, a_step(report.counted.messages),
      a_step(report.counted.bytes), a_step(report.counted.reductions), report.predicted.messages,
      report.predicted.bytes, report.predicted.reductions);
}

}  // namespace headway::cli
