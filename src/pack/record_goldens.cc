#include "pack/record_goldens.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <utility>

#include "base/file_writer.h"
#include "base/thread_pool.h"
#include "device/stored_shard.h"
#include "engine/devices.h"
#include "engine/oracle_angles.h"
#include "engine/stored_weights.h"
#include "gguf/split.h"
#include "graph/builder.h"
#include "graph/cut.h"
#include "model/model.h"
#include "model/vocabulary.h"
#include "pack/file_rows.h"
#include "pack/texts.h"
#include "tensor/codec.h"
#include "tokenizer/tokenizer.h"
#include "truth/oracle/row_probes.h"
#include "truth/straightline/straight_line.h"

namespace headway::pack {
namespace {

std::vector<float> Rounded(std::span<const double> values) {
  return {values.begin(), values.end()};
}

struct Source {
  ModelConfig config;
  graph::Graph graph;  // the whole model
};

Result<Source> ReadSource(const gguf::GgufFile& file) {
  Source source;
  HW_TRY(source.config, model::ReadModelConfig(file));
  HW_TRY(source.graph, model::BuildGraph(file, source.config));
  return source;
}

int64_t NumWeights(const graph::Graph& graph) {
  int64_t count = 0;
  for (const graph::Weight& weight : graph.weights)
    count += weight.shape.Rows() * weight.shape.Columns();
  return count;
}

// Hidden states at every layer boundary, then the logits.
// `embedding`: the host reads its rows from the file.
Result<void> RunChain(const Source& source, const Device& device,
                      const oracle::WeightReader& embedding, const oracle::WeightReader& shards,
                      Goldens* goldens) {
  const int64_t num_layers = goldens->num_layers;
  const oracle::OracleOptions options = RoundingsOf(device.traits);
  const OracleAngles angles(source.config, goldens->NumTokens());
  const auto run = [&](int64_t stage,
                       const oracle::OracleStep& step) -> Result<std::vector<double>> {
    HW_TRY(graph::Graph part, graph::CutStages(source.graph, {.begin = stage, .end = stage + 1}));
    HW_TRY(oracle::Oracle oracle,
           oracle::Oracle::Create(std::move(part), stage < 0 ? embedding : shards, options));
    return oracle.Run(step);
  };
  HW_TRY(const std::vector<double> embedded, run(-1, {.ids = goldens->ids}));
  std::vector<float> x = Rounded(embedded);
  goldens->hidden = x;
  for (int64_t layer = 0; layer < num_layers; ++layer) {
    HW_TRY(const std::vector<double> y,
           run(layer, {.x = {x.begin(), x.end()}, .rotary = angles.Tables()}));
    x = Rounded(y);
    goldens->hidden.insert(goldens->hidden.end(), x.begin(), x.end());
  }
  HW_TRY(const std::vector<double> logits, run(num_layers, {.x = {x.begin(), x.end()}}));
  goldens->logits = Rounded(logits);
  return {};
}

// Devices that store rows in a form of their own are held against the file's own rows.
Result<ProductGolden> ProbeMatrix(const graph::Weight& weight, const oracle::WeightReader& rows) {
  ProductGolden product{.weight = weight.name,
                        .rows = weight.shape.Rows(),
                        .columns = weight.shape.Columns(),
                        .y = {}};
  HW_TRY(oracle::RowProbes probes,
         oracle::ProbeRows(rows, weight.name, 0, product.rows, product.columns, nullptr));
  product.y = std::move(probes.y);
  product.norms = std::move(probes.norms);
  return product;
}

// One matrix times its probes, as a graph of one op.
Result<ProductGolden> RunProduct(const graph::Weight& weight, const oracle::WeightReader& rows,
                                 const Device& device) {
  ProductGolden product{.weight = weight.name,
                        .rows = weight.shape.Rows(),
                        .columns = weight.shape.Columns(),
                        .y = {}};
  graph::Builder builder;
  const graph::ValueId x = builder.Input("x", product.columns);
  builder.Output(builder.Linear("y", x, builder.AddWeight(weight)));
  HW_TRY(graph::Graph graph, builder.Finish());
  HW_TRY(oracle::Oracle oracle,
         oracle::Oracle::Create(std::move(graph), rows, RoundingsOf(device.traits)));
  const std::vector<float> probes = ProbeInputs(weight.name, product.columns);
  HW_TRY(const std::vector<double> y, oracle.Run({.x = {probes.begin(), probes.end()}}));
  product.y = Rounded(y);
  return product;
}

std::vector<graph::Weight> Matrices(const graph::Graph& graph) {
  std::vector<graph::Weight> matrices;
  for (const graph::Node& node : graph.nodes) {
    if (node.op == graph::Op::kLinear)
      matrices.push_back(graph.weights[static_cast<size_t>(node.weights[0])]);
  }
  return matrices;
}

Result<void> RunReference(const gguf::GgufFile& reference, Goldens* goldens) {
  HW_TRY(const auto line, straightline::StraightLine::Open(reference));
  HW_TRY(const std::vector<double> hidden, line.HiddenStates(goldens->ids));
  goldens->reference_hidden = Rounded(hidden);
  goldens->reference_logits = Rounded(line.Head(hidden));
  HW_TRY(const ConstTensorView gain, reference.GetTensor("output_norm.weight"));
  goldens->final_gain.resize(static_cast<size_t>(goldens->hidden_size));
  DequantiseRow(gain.type, gain.data, goldens->hidden_size, goldens->final_gain.data());
  return {};
}

// Runs the tasks on all processors; the first error in the list's order is returned.
Result<void> RunAll(const std::vector<std::function<Result<void>()>>& tasks) {
  std::vector<Result<void>> outcomes(tasks.size());
  ChunkQueue queue;
  HW_TRY(const auto pool, ThreadPool::Start(DefaultThreads()));
  pool->Run([&](int) {
    int64_t begin = 0;
    int64_t end = 0;
    while (queue.Take(static_cast<int64_t>(tasks.size()), 1, &begin, &end)) {
      const auto i = static_cast<size_t>(begin);
      outcomes[i] = tasks[i]();
    }
  });
  for (const Result<void>& outcome : outcomes) HW_TRY_VOID(outcome);
  return {};
}

}  // namespace

Result<std::vector<int32_t>> GoldenIds(const gguf::GgufFile& file, const ModelConfig& config,
                                       int64_t num_tokens, int64_t most_tokens) {
  HW_TRY(tokenizer::Vocabulary vocabulary, model::VocabularyFromGguf(file));
  HW_TRY(const auto tokens, tokenizer::Tokenizer::Create(std::move(vocabulary)));
  HW_TRY(std::vector<int32_t> ids, tokens.Encode(kGoldenText, {.add_bos = true}));
  int64_t limit = std::min(num_tokens, config.max_position_embeddings - 1);
  if (most_tokens > 0) limit = std::min(limit, most_tokens);
  // One regime of rotary factors, one token decoded beyond the last position included.
  if (config.original_max_position_embeddings > 0)
    limit = std::min(limit, config.original_max_position_embeddings - 1);
  if (static_cast<int64_t>(ids.size()) > limit)
    ids.resize(static_cast<size_t>(std::max<int64_t>(1, limit)));
  return ids;
}

int64_t PositionsFor(int64_t num_weights) {
  constexpr int64_t kMost = 64;
  constexpr int64_t kLeast = 8;
  constexpr int64_t kSums = 40'000'000'000;
  return std::clamp(kSums / std::max<int64_t>(1, num_weights), kLeast, kMost);
}

Result<Goldens> MakeGoldens(const gguf::GgufFile& packed, const gguf::GgufFile& reference,
                            const GoldenOptions& options) {
  HW_TRY(const Device* const device, FindDevice(options.device));
  HW_TRY(const Source source, ReadSource(packed));
  Goldens goldens;
  goldens.device = options.device;
  goldens.num_layers = source.config.num_hidden_layers;
  goldens.hidden_size = source.config.hidden_size;
  goldens.vocab_size = source.config.vocab_size;
  const int64_t num_weights = NumWeights(source.graph);
  HW_TRY(goldens.ids,
         GoldenIds(packed, source.config,
                   options.max_tokens > 0 ? options.max_tokens : PositionsFor(num_weights),
                   options.most_tokens));
  const std::vector<graph::Weight> matrices = Matrices(source.graph);
  goldens.products.resize(matrices.size());
  FileRows rows(packed, "goldens", 2 * static_cast<uint64_t>(num_weights), options.show_progress,
                options.cancelled_or_null);
  const oracle::WeightReader reader = rows.Reader();
  std::vector<std::function<Result<void>()>> tasks = {
      [&] { return RunChain(source, *device, reader, rows.Reader(options.stored), &goldens); },
      [&] { return RunReference(reference, &goldens); }};
  for (size_t i = 0; i < matrices.size(); ++i) {
    tasks.emplace_back([&, i]() -> Result<void> {
      if (device->StoresOwnRows()) {
        HW_TRY(goldens.products[i], ProbeMatrix(matrices[i], reader));
      } else {
        HW_TRY(goldens.products[i], RunProduct(matrices[i], reader, *device));
      }
      return {};
    });
  }
  HW_TRY_VOID(RunAll(tasks));
  return goldens;
}

Result<void> RecordInto(const std::string& gguf_path, const std::string& directory,
                        const GoldenOptions& options, Manifest* manifest) {
  HW_TRY(const gguf::GgufFile file, gguf::GgufFile::Open(gguf_path));
  HW_TRY(const gguf::GgufFile reference,
         gguf::GgufFile::Open(options.reference.empty() ? gguf_path : options.reference));
  GoldenOptions of_package = options;
  of_package.device = manifest->device;
  of_package.most_tokens = manifest->ContextTokens() - 1;
  HW_TRY(of_package.stored, OpenStoredWeights(directory, *manifest));
  HW_TRY(const Goldens goldens, MakeGoldens(file, reference, of_package));
  HW_TRY(manifest->goldens, WriteGoldens(goldens, directory));
  manifest->gates.clear();
  return {};
}

Result<void> AddGoldens(const std::string& gguf_path, const std::string& directory,
                        const GoldenOptions& options) {
  HW_TRY(Manifest manifest, OpenManifest(directory, false));
  if (manifest.source_digest.rfind(kWholeFile, 0) != 0) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: made by an earlier version, which remembered only the ends of the "
                            "model file; pack again",
                            directory));
  }
  HW_TRY(const std::string digest, gguf::ModelDigestHex(gguf_path));
  if (kWholeFile + digest != manifest.source_digest) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: expected the file that {} was made from ({}), found another",
                            gguf_path, directory, manifest.source_file));
  }
  HW_TRY_VOID(RecordInto(gguf_path, directory, options, &manifest));
  return WriteTextFileAtomically((std::filesystem::path(directory) / kManifestFileName).string(),
                                 ToJson(manifest));
}

}  // namespace headway::pack
