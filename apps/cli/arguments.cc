#include "arguments.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <type_traits>
#include <utility>

#include "headway/version.h"

namespace headway::cli {
namespace {

constexpr const char* kAbout =
    "Headway decodes language models whose LM head is the bottleneck.\n"
    "\n"
    "  headway run models/story-12m.gguf -p \"Once upon a time\"         text from a model\n"
    "  headway run models/story-12m.gguf --chat -p \"Tell me a story.\"  an answer in a chat\n"
    "  headway pack model.gguf -o package --head full:8                a package for later runs\n"
    "  headway inspect package                                         what is in it\n"
    "  headway gate all package                                        whether it is right\n"
    "  headway bench chain model.gguf                                  how fast it decodes\n"
    "  headway lab lab/lm-head.json -o results                         an experiment with a "
    "report\n"
    "\n"
    "Each command has --help with examples.";

constexpr const char* kFooter =
    "Exit status: 0 done, 1 a gate failed, 2 bad usage or input, 3 internal error, 130 "
    "interrupted.\n"
    "Environment: HEADWAY_CPU=reference|avx2|avx512 forces an instruction set; HEADWAY_CACHE "
    "names\n"
    "the directory for packages made from GGUF files.";

constexpr const char* kRunExamples =
    "Examples:\n"
    "  headway run model.gguf -p \"Once upon a time\" -n 200 --profile\n"
    "  headway run package --chat -p \"Name three birds.\" --temp 0.8 --top-p 0.95 --seed 7\n"
    "  headway run model.gguf --ids 1,2,3 -n 16 --json\n"
    "  headway run model.gguf --prompt-file code.txt --speculate lookup --profile\n"
    "  headway run model.gguf --chat -p \"Who are you?\" --json-schema answer.json\n"
    "  head -c 2000 notes.txt | headway run model.gguf --prompt-file -\n"
    "\n"
    "Prints the prompt (not with --chat or --ids) and what the model adds. Ctrl-C stops cleanly.\n"
    "Sampling order: repeat penalty, logit bias, allow-list, top-k, top-p, min-p, temperature.";

constexpr const char* kPackExamples =
    "Examples:\n"
    "  headway pack model.gguf -o package\n"
    "  headway pack model.gguf -o package --topology 0:20,20:24,24:30,30:32 --head full:3\n"
    "  headway pack model.gguf -o package --gate\n"
    "  headway pack model.gguf -o ane --device coreml --weights int8 --batch-tokens 1,4";

constexpr const char* kGateExamples =
    "Examples:\n"
    "  headway gate all package\n"
    "  headway gate residency package --json\n"
    "  headway gate golden package --reference model.gguf\n"
    "\n"
    "residency: every compute op runs where the device wants it. golden: the shards compute what "
    "the\n"
    "model file says, compared with two separate computations in double precision. The results "
    "are\n"
    "kept in the package; exit status 1 when a gate fails (docs/gates.md).";

constexpr const char* kLabExamples =
    "Examples:\n"
    "  headway lab lab/lm-head.json -o results/lm-head\n"
    "  headway lab lab/shard-count.json -o results/shards --model phi.gguf\n"
    "\n"
    "Packs what is missing, gates every variant, measures in turns, and writes results.json, an\n"
    "entry in Markdown and an HTML page into DIR. Ctrl-C keeps what is done; the same command "
    "goes\n"
    "on from there (docs/lab.md).";

constexpr const char* kSynthExamples =
    "Shapes: phi4-mini (4 GB at q8_0), small-head-heavy, tiny-phi, tiny-llama.\n"
    "Types: f32 f16 bf16 q8_0 q4_0 q4_1 q5_0 q5_1 q4_k_m q5_k_m q6_k.\n"
    "Example:\n"
    "  headway synth tiny-phi -o tiny.gguf --type q4_0 --seed 3";

constexpr const char* kInspectExamples =
    "Examples:\n"
    "  headway inspect model.gguf\n"
    "  headway inspect package --graph\n"
    "  headway inspect package/layers_000_006.mlpackage";

constexpr const char* kEvalExamples =
    "Examples:\n"
    "  headway eval perplexity model.gguf -f text.txt --ctx 512\n"
    "  headway eval agreement package -f text.txt --reference model.gguf --json\n"
    "\n"
    "perplexity: windows of --ctx tokens, the second half of each scored, as llama-perplexity\n"
    "does. agreement: next-token distributions against a separate computation in double precision.";

constexpr const char* kBenchExamples =
    "Examples:\n"
    "  headway bench memory\n"
    "  headway bench chain model.gguf --threads 2 --tokens 64\n"
    "  headway bench all models/story-12m.gguf\n"
    "\n"
    "WHAT: memory, chain (decode steps), prefill, batch, head, sampling, speculate, or all.";

// An option whose text must be a T and nothing else, so that every option says what it expected in
// the same words. CLI11 alone would take "-1" for a count (as 2^64 - 1).
template <class T>
CLI::Option* AddNumber(CLI::App* app, const std::string& names, T* value, const std::string& what) {
  CLI::Option* option = app->add_option(names, *value, what)->capture_default_str();
  return option->check(CLI::Validator(
      [](std::string& text) -> std::string {
        T parsed{};
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
        if (error == std::errc{} && end == text.data() + text.size()) return "";
        if (std::is_floating_point_v<T>) return fmt::format("expected a number, found '{}'", text);
        return fmt::format("expected a whole number{}{}, found '{}'",
                           std::is_unsigned_v<T> ? " from 0" : "",
                           error == std::errc::result_out_of_range ? " that is smaller" : "", text);
      },
      ""));
}

void AddLoad(CLI::App* app, std::string* load) {
  app->add_option("--load", *load,
                  "weights: map (read in place), copy (into huge pages), auto (copy when large and "
                  "memory is free)")
      ->check(CLI::Validator(
          [](std::string& text) -> std::string {
            if (text == "auto" || text == "map" || text == "copy") return "";
            return fmt::format("expected auto, map or copy, found '{}'", text);
          },
          ""))
      ->capture_default_str()
      ->type_name("HOW");
}

void AddSampling(CLI::App* app, RunArguments* run) {
  SamplingParams& s = run->sampling;
  const auto group = [](CLI::Option* option, const char* type) {
    option->type_name(type)->group("Sampling");
  };
  group(AddNumber(app, "--temp", &s.temperature, "temperature; 0: greedy"), "T");
  group(AddNumber(app, "--top-k", &s.top_k, "keep the K best; 0: off"), "K");
  group(AddNumber(app, "--top-p", &s.top_p, "keep the smallest set of that mass; 1: off"), "P");
  group(AddNumber(app, "--min-p", &s.min_p,
                  "keep tokens at least P times as likely as the best; 0: off"),
        "P");
  group(AddNumber(app, "--repeat-penalty", &s.repeat_penalty, "1: off"), "R");
  group(AddNumber(app, "--repeat-last-n", &s.repeat_last_n,
                  "tokens the penalty looks back at; -1: all"),
        "N");
  group(AddNumber(app, "--seed", &s.seed, "same seed, same text"), "S");
  group(app->add_option("--logit-bias", run->logit_bias,
                        "added to logits: ID:B,ID:B; -inf bans an id"),
        "LIST");
  group(app->add_option("--allow-ids", run->allow_ids_file, "file with the only ids allowed"),
        "FILE");
}

void AddSpeculation(CLI::App* app, RunArguments* run) {
  const auto group = [](CLI::Option* option, const char* type) {
    option->type_name(type)->group("Speculation (the same tokens, sooner)");
  };
  group(app->add_option("--speculate", run->speculate,
                        "draft tokens: lookup[:MIN..MAX] from n-grams of the text, model:FILE from "
                        "a small model"),
        "HOW");
  group(app->add_option("--probe", run->probe, "lookup[:MIN..MAX]: only count what it would give"),
        "HOW");
  group(AddNumber(app, "--draft-tokens", &run->draft_tokens, "drafts a step at most, 1 to 15"),
        "N");
}

void AddRun(CLI::App* app, RunArguments* run) {
  app->footer(kRunExamples);
  app->add_option("model", run->model, "a GGUF file or a package directory")
      ->required()
      ->type_name("MODEL");
  app->add_option("-p,--prompt", run->prompt, "the prompt")->type_name("TEXT");
  app->add_option("--prompt-file", run->prompt_file, "read the prompt from a file; -: from stdin")
      ->type_name("FILE");
  app->add_option("--ids", run->ids, "the prompt as token ids: 1,2,3")->type_name("IDS");
  app->add_flag("--chat", run->chat, "put the prompt into the model's chat format");
  app->add_option("--system", run->system, "system message, with --chat")->type_name("TEXT");
  AddNumber(app, "-n,--tokens", &run->max_new_tokens, "tokens to generate at most")->type_name("N");
  app->add_flag("--ignore-end", run->ignore_end, "go on after an end-of-text token");
  AddNumber(app, "--threads", &run->threads, "0: all processors")->type_name("N");
  app->add_option("--topology", run->topology,
                  "layers a shard, or 0:20,20:24,...; default 6, or the package's own")
      ->type_name("T");
  app->add_option(
         "--head", run->head,
         "LM head: full:N has N vocabulary shards, certified reads less; default full:4, or "
         "the package's first")
      ->type_name("KIND");
  app->add_option(
         "--certificate", run->certificate,
         "of a certified head: deterministic, or probabilistic:DELTA with DELTA the failure "
         "probability of a token (default 1e-9)")
      ->type_name("HOW");
  AddNumber(app, "--audit", &run->audit_every,
            "with a certified head: run the full head as well on every N-th token and stop at any "
            "difference")
      ->type_name("N");
  app->add_flag("--verify", run->verify, "compare every file of the package with its digest first");
  app->add_flag("--allow-ungated", run->allow_ungated,
                "run a package although a gate failed, or none was asked");
  AddLoad(app, &run->load);
  app->add_flag("--profile", run->profile, "print where the time went, on stderr");
  app->add_flag("--json", run->json, "print one JSON object on stdout instead of the text");
  app->add_flag("--logprobs", run->logprobs, "with --json: natural log-probability of each token");
  AddSampling(app, run);
  AddSpeculation(app, run);
  app->add_option("--grammar", run->grammar_file, "what the new text must be, in GBNF")
      ->type_name("FILE");
  app->add_option("--json-schema", run->json_schema_file, "JSON that the new text must be")
      ->type_name("FILE");
}

void AddPack(CLI::App* app, PackArguments* pack) {
  app->footer(kPackExamples);
  app->add_option("model", pack->model, "a GGUF file")->required()->type_name("MODEL.gguf");
  app->add_option("-o,--output", pack->output, "the package directory to make")
      ->required()
      ->type_name("DIR");
  app->add_option("--device", pack->device, "cpu or coreml")
      ->capture_default_str()
      ->type_name("DEVICE");
  app->add_option("--topology", pack->topology, "layers a shard, or 0:20,20:24,...")
      ->capture_default_str()
      ->type_name("T");
  app->add_option("--head", pack->heads, "head kinds, the first is the default: full:4,certified")
      ->capture_default_str()
      ->type_name("KINDS");
  app->add_option("--rotation-seed", pack->rotation_seed,
                  "of a certified head, for reproduction only; default: 256 bits from the system")
      ->type_name("S");
  AddNumber(app, "--max-seq", &pack->max_seq,
            "longest sequence; 0: the model's context, for coreml at most 1024")
      ->type_name("N");
  AddNumber(app, "--threads", &pack->threads, "that encode weights; 0: all processors")
      ->type_name("N");
  app->add_flag("--replace", pack->replace, "replace an existing package");
  app->add_flag("--gate", pack->gate, "run all gates on the package and keep the results in it");
  app->add_flag("--no-goldens", pack->no_goldens,
                "leave out what the golden gate compares with (faster; it can be added later)")
      ->excludes("--gate");
  const auto coreml = [](CLI::Option* option, const char* type) {
    option->type_name(type)->group("With --device coreml");
  };
  coreml(app->add_option("--batch-tokens", pack->batch_tokens,
                         "tokens a step, a program each: 1,4; 1..4 is one program for 1 to 4; "
                         "default 1"),
         "LIST");
  coreml(
      app->add_option("--weights", pack->weights,
                      "fp16, int8 (default), lut1, lut2, lut3, lut4, lut6, lut8, int4-blockwise"),
      "FORMAT");
  coreml(app->add_option("--states", pack->states,
                         "cache as per-layer states (default) or one unified state"),
         "LAYOUT");
  coreml(app->add_option("--attention", pack->attention,
                         "per-head (default) or batched over the KV heads"),
         "FORM");
  coreml(AddNumber(app, "--head-split", &pack->head_splits,
                   "convolutions of each shard of a full head; 0: 1"),
         "N");
  coreml(app->add_option("--norm-prescale", pack->norm_prescale,
                         "factor before the squares of RMSNorm; default 1 / sqrt(hidden size)"),
         "C");
}

void AddLab(CLI::App* app, LabArguments* lab) {
  app->footer(kLabExamples);
  app->add_option("spec", lab->spec, "what to compare, and how")
      ->required()
      ->type_name("SPEC.json");
  app->add_option("-o,--output", lab->output, "the directory of the experiment")
      ->required()
      ->type_name("DIR");
  app->add_option("--model", lab->model, "a GGUF instead of the one that SPEC names")
      ->type_name("FILE");
  app->add_option("--machine", lab->machine, "what the report calls this machine")
      ->type_name("TEXT");
}

void AddGate(CLI::App* app, GateArguments* gate) {
  app->footer(kGateExamples);
  app->add_option("what", gate->what, "residency, golden or all")
      ->required()
      ->type_name("WHAT")
      ->check(CLI::Validator(
          [](std::string& text) -> std::string {
            if (text == "residency" || text == "golden" || text == "all") return "";
            return fmt::format("expected residency, golden or all, found '{}'", text);
          },
          ""));
  app->add_option("package", gate->package, "a package directory")
      ->required()
      ->type_name("PACKAGE");
  app->add_option("--reference", gate->reference,
                  "the GGUF it was made from: record goldens from it first")
      ->type_name("FILE");
  AddNumber(app, "--threads", &gate->threads, "0: all processors")->type_name("N");
  app->add_flag("--json", gate->json, "print one JSON object");
}

void AddSynth(CLI::App* app, SynthArguments* synth) {
  app->footer(kSynthExamples);
  app->add_option("shape", synth->shape, "which model")->required()->type_name("SHAPE");
  app->add_option("-o,--output", synth->output, "the GGUF to write")->required()->type_name("FILE");
  app->add_option("--type", synth->type, "weight type")->capture_default_str()->type_name("TYPE");
  AddNumber(app, "--seed", &synth->seed, "same seed, same bytes")->type_name("S");
  app->add_option("--margin", synth->margin,
                  "an untied head whose winner stands M sigma above the bulk")
      ->type_name("M");
  app->add_flag("--pure", synth->pure,
                "every matrix in the named type, instead of llama.cpp's mix");
}

void AddInspect(CLI::App* app, InspectArguments* inspect) {
  app->footer(kInspectExamples);
  app->add_option("path", inspect->path, "a GGUF file, a package directory or a .mlpackage")
      ->required()
      ->type_name("PATH");
  app->add_flag("--graph", inspect->graph, "print the graph or program of every shard");
}

void AddBench(CLI::App* app, BenchArguments* bench) {
  app->footer(kBenchExamples);
  app->add_option("what", bench->what, "what to measure")->required()->type_name("WHAT");
  app->add_option("model", bench->model, "a GGUF file or a package directory")->type_name("MODEL");
  AddNumber(app, "--threads", &bench->threads, "0: all processors")->type_name("N");
  AddNumber(app, "--tokens", &bench->tokens, "decoded tokens a round")->type_name("N");
  AddNumber(app, "--context", &bench->context, "tokens before them")->type_name("N");
  AddNumber(app, "--rounds", &bench->rounds, "rounds, in turns")->type_name("N");
  app->add_option("--margin", bench->margins,
                  "with head: certified against full head on hidden states whose winner stands M "
                  "sigma above the bulk, several with commas; 0: independent logits")
      ->delimiter(',')
      ->type_name("M");
  app->add_option("--hidden", bench->hidden,
                  "with head: the same on hidden states from a file, binary32, before the norm")
      ->type_name("FILE");
  AddLoad(app, &bench->load);
  app->add_flag("--json", bench->json, "one JSON object instead of the tables");
}

void AddEval(CLI::App* app, EvalArguments* eval) {
  app->footer(kEvalExamples);
  app->require_subcommand(1);
  CLI::App* perplexity = app->add_subcommand("perplexity", "How well the model predicts a text.");
  CLI::App* agreement = app->add_subcommand("agreement", "How closely it follows the reference.");
  for (CLI::App* each : {perplexity, agreement}) {
    each->footer(kEvalExamples);
    each->add_option("model", eval->model, "a GGUF file or a package directory")
        ->required()
        ->type_name("MODEL");
    each->add_option("-f,--file", eval->text_file, "the text")->required()->type_name("TEXT");
    AddNumber(each, "--threads", &eval->threads, "0: all processors")->type_name("N");
    each->add_option("--topology", eval->topology,
                     "layers a shard, or 0:20,20:24,...; default 6, or the package's own")
        ->type_name("T");
    each->add_option("--head", eval->head, "LM head kind; default full:4, or the package's first")
        ->type_name("KIND");
    each->add_flag("--json", eval->json, "print one JSON object");
  }
  AddNumber(perplexity, "--ctx", &eval->window_tokens, "tokens of a window")->type_name("N");
  AddNumber(perplexity, "--chunks", &eval->max_windows, "windows at most; 0: all")->type_name("N");
  AddNumber(agreement, "-n,--tokens", &eval->max_tokens, "tokens at most; 0: the model's context")
      ->type_name("N");
  agreement->add_option("--reference", eval->reference, "the GGUF that a package was made from")
      ->type_name("FILE");
  agreement->callback([eval] { eval->agreement = true; });
}

std::string AfterColon(const std::string& text) {
  const size_t colon = text.find(": ");
  return colon == std::string::npos ? text : text.substr(colon + 2);
}

// The command that was being read, "headway eval perplexity", and its parser.
std::pair<std::string, const CLI::App*> InnermostCommand(const CLI::App& app) {
  std::string name = app.get_name();
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    name += " " + command->get_name();
  }
  return {name, command};
}

// What CLI11 found wrong, as what was expected and what was found.
std::string Explain(const CLI::ParseError& error, const CLI::App& command) {
  const std::vector<const CLI::App*> known = command.get_subcommands(nullptr);
  if (!known.empty()) {
    std::string names;
    for (const CLI::App* each : known) names += (names.empty() ? "" : ", ") + each->get_name();
    const std::vector<std::string> rest = command.remaining();
    return fmt::format("expected a command ({}), found {}", names,
                       rest.empty() ? "none" : "'" + rest.front() + "'");
  }
  const std::string_view all(error.what());
  std::string what(all.substr(0, all.find('\n')));
  const std::string option = what.substr(0, what.find(':'));
  // By code: an error's name is sometimes the command's.
  const auto code = static_cast<CLI::ExitCodes>(error.get_exit_code());
  if (code == CLI::ExitCodes::ExtrasError)
    return fmt::format("unknown argument '{}'", AfterColon(what));
  if (code == CLI::ExitCodes::RequiredError) {
    return fmt::format("expected {}, found none", what.substr(0, what.find(" is required")));
  }
  if (code != CLI::ExitCodes::ArgumentMismatch) return what;
  const size_t received = what.find("received ");
  if (received == std::string::npos) return fmt::format("{}: expected a value, found none", option);
  return fmt::format("{}: expected once, found {} times", option, what.substr(received + 9));
}

ParseOutcome Mistake(const CLI::ParseError& error, const CLI::App& app) {
  const auto [name, command] = InnermostCommand(app);
  return {.arguments = std::nullopt,
          .exit_status = 2,
          .text = fmt::format("headway: {} (see {} --help)\n", Explain(error, *command), name)};
}

}  // namespace

ParseOutcome ParseCommandLine(int argc, const char* const* argv) {
  CLI::App app(kAbout, "headway");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("headway ") + kVersion,
                       "print the version and exit");
  app.footer(kFooter);
  RunArguments run;
  PackArguments pack;
  SynthArguments synth;
  InspectArguments inspect;
  CLI::App* run_app = app.add_subcommand("run", "Generates text from a GGUF or a package.");
  CLI::App* pack_app = app.add_subcommand("pack", "Makes a package from a GGUF.");
  CLI::App* synth_app =
      app.add_subcommand("synth", "Writes a GGUF of a real shape with synthetic weights.");
  CLI::App* inspect_app = app.add_subcommand("inspect", "Shows what is in a GGUF or a package.");
  EvalArguments eval;
  BenchArguments bench;
  CLI::App* eval_app =
      app.add_subcommand("eval", "Measures perplexity on a text, or agreement with the reference.");
  CLI::App* bench_app =
      app.add_subcommand("bench", "Measures speed against what the memory can deliver.");
  GateArguments gate;
  CLI::App* gate_app = app.add_subcommand("gate", "Checks a package: residency and goldens.");
  AddGate(gate_app, &gate);
  LabArguments lab;
  CLI::App* lab_app = app.add_subcommand("lab", "Runs an experiment and writes its report.");
  AddLab(lab_app, &lab);
  AddEval(eval_app, &eval);
  AddBench(bench_app, &bench);
  AddRun(run_app, &run);
  AddPack(pack_app, &pack);
  AddSynth(synth_app, &synth);
  AddInspect(inspect_app, &inspect);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    std::ostringstream out;
    app.exit(success, out, out);
    return {.arguments = std::nullopt, .exit_status = 0, .text = out.str()};
  } catch (const CLI::ParseError& error) {
    return Mistake(error, app);
  }
  ParseOutcome outcome;
  if (run_app->parsed()) outcome.arguments = std::move(run);
  if (pack_app->parsed()) outcome.arguments = std::move(pack);
  if (synth_app->parsed()) outcome.arguments = std::move(synth);
  if (eval_app->parsed()) outcome.arguments = std::move(eval);
  if (lab_app->parsed()) outcome.arguments = std::move(lab);
  if (gate_app->parsed()) outcome.arguments = std::move(gate);
  if (bench_app->parsed()) outcome.arguments = std::move(bench);
  if (inspect_app->parsed()) outcome.arguments = std::move(inspect);
  return outcome;
}

}  // namespace headway::cli
