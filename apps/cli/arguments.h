#pragma once

// The command line as plain structs: each command in a file of its own sees only its struct.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/devices.h"
#include "headway/result.h"
#include "headway/sampling_params.h"

namespace headway::cli {

// Of commands that several ranks can run together.
struct HostsArguments {
  std::string hosts;  // empty: this process alone
  double timeout_s = 10.0;
};

struct RunArguments {
  std::string model;
  HostsArguments hosts;
  std::string compute_units;
  std::optional<std::string> prompt;
  std::optional<std::string> prompt_file;
  std::optional<std::string> ids;
  std::string system;
  std::optional<std::string> messages_file;
  std::string tools_file;
  std::string chat_template_file;
  std::string chat_variables;
  int64_t max_new_tokens = 128;
  std::vector<std::string> stop;
  std::optional<bool> finish_within_budget;  // absent: with a schema
  std::string json_whitespace;               // empty: canonical
  std::string seed = "-1";                   // -1: drawn
  bool chat = false;
  bool special = false;
  bool json = false;
  bool profile = false;
  bool logprobs = false;
  bool verify = false;
  bool allow_ungated = false;
  std::string load = "auto";
  std::string kv = "f16";
  bool ignore_end = false;
  int threads = 0;
  std::string topology;  // empty: 6 layers a shard, or the package's own
  std::string head;
  std::string usage_file;
  std::string certificate;
  int64_t audit_every = 0;
  SamplingParams sampling;
  std::string logit_bias;
  std::string allow_ids_file;
  std::string speculate;  // empty: off
  std::string probe;
  std::optional<int64_t> draft_tokens;  // absent: 7
  std::string grammar_file;
  std::string json_schema_file;
};

struct PackArguments {
  std::string model;
  std::string output;
  std::string device = kDefaultDevice;
  std::string topology = "6";
  std::string heads = "full:4";
  std::string usage_file;
  std::optional<uint64_t> rotation_seed;
  int64_t most_directions = 16;
  int64_t max_seq = 0;
  std::string batch_tokens;
  std::string weights;
  std::string states;
  std::string attention;
  int64_t head_splits = 0;
  std::optional<float> norm_prescale;
  std::optional<float> residual_scale;
  int threads = 0;
  bool replace = false;
  bool gate = false;
  bool no_goldens = false;
};

struct GateArguments {
  std::string what;  // "residency", "golden", "all"
  std::string package;
  std::string reference;  // a GGUF to record goldens from first
  std::string compute_units;
  std::string report_file;  // empty: none
  bool json = false;
  int threads = 0;
};

struct SynthArguments {
  std::string shape;
  std::string output;
  std::string type = "q8_0";
  std::string head_type;
  int64_t parts = 1;
  uint64_t seed = 1;
  bool pure = false;
  std::optional<double> margin;
  int64_t distinct_rows = 0;
};

struct InspectArguments {
  std::string path;
  bool graph = false;
  bool json = false;
};

struct BenchArguments {
  std::string what;
  std::string model;
  int threads = 0;
  int64_t tokens = 32;
  int64_t context = 16;
  int rounds = 5;
  std::string load = "auto";
  std::string kv = "f16";
  bool json = false;
  bool sampled = false;
  std::vector<double> margins;  // head: the certified head on drawn hidden states
  std::string hidden;           // or on those of a file
  std::string prompt_file;      // speculate: prompt lookup on its continuation
};

struct EvalArguments {
  bool agreement = false;  // else perplexity
  std::string compute_units;
  std::string model;
  std::string text_file;
  std::string reference;  // agreement: the GGUF, when the model is a package
  int64_t window_tokens = 512;
  int64_t max_windows = 0;
  int64_t max_tokens = 1000;
  std::string kv = "f16";
  bool json = false;
  int threads = 0;
  std::string topology;
  std::string head;
};

struct LabArguments {
  std::string spec;
  std::string output;
  std::string model;    // instead of the specification's
  std::string machine;  // how the report calls this machine
};

// Absent values come from the environment, or are the defaults.
struct ServeArguments {
  HostsArguments hosts;
  std::string compute_units;
  std::optional<std::string> model;
  std::optional<std::string> host;
  std::optional<int> port;
  std::optional<int64_t> context_tokens;
  std::optional<int64_t> parallel;
  std::optional<std::string> alias;
  std::optional<std::string> api_key;
  std::optional<std::string> api_key_file;
  std::optional<std::string> cors;
  std::optional<std::string> chat_template;
  std::optional<std::string> chat_template_file;
  std::optional<std::string> pooling;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<double> min_p;
  std::optional<double> repeat_penalty;
  std::optional<double> presence_penalty;
  std::optional<double> frequency_penalty;
  std::optional<int64_t> top_k;
  std::optional<int64_t> seed;
  std::optional<int64_t> new_tokens;
  int64_t queue = 256;
  int64_t kv_tokens = 0;
  int64_t prompt_budget = 64;
  int64_t drain_s = 30;
  int64_t draft_tokens = 7;
  std::optional<int> threads;
  std::string head;
  std::string topology;
  std::string certificate;
  std::string load = "auto";
  std::string kv = "f16";
  bool verify = false;
  bool allow_ungated = false;
};

struct CacheArguments {
  std::string what;                // "list", "clean", "path"
  std::vector<std::string> names;  // of clean: these packages alone
};

struct GrammarArguments {
  std::string grammar_file;
  std::string json_schema_file;
  std::string text_file;
  std::string texts_file;
  bool as_generated = false;
  bool no_formats = false;
  bool json = false;
};

using Arguments = std::variant<RunArguments, PackArguments, SynthArguments, InspectArguments,
                               BenchArguments, EvalArguments, GateArguments, LabArguments,
                               GrammarArguments, ServeArguments, CacheArguments>;

struct ParseOutcome {
  std::optional<Arguments> arguments;  // absent: print `text` and exit with `exit_status`
  int exit_status = 0;
  std::string text;
};

// Parses the command line. --help and --version end with status 0, mistakes with status 2 and one
// line that says what was expected.
ParseOutcome ParseCommandLine(int argc, const char* const* argv);

}  // namespace headway::cli
