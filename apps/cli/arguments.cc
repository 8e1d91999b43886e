#include "arguments.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "headway/version.h"

namespace headway::cli {
namespace {

constexpr const char* kAbout =
    "Headway decodes language models whose LM head is the bottleneck.\n"
    "\n"
    "  headway run models/story-12m.gguf -p \"Once upon a time\"        text from a model\n"
    "  headway run models/story-12m.gguf --chat -p \"Tell me a story.\"  as a chat\n"
    "  headway pack model.gguf -o package --head full:8               a package for later runs\n"
    "  headway inspect package                                        what is in it\n"
    "\n"
    "Each command has --help with examples.";

constexpr const char* kRunExamples =
    "Examples:\n"
    "  headway run model.gguf -p \"Once upon a time\" -n 200 --profile\n"
    "  headway run package --chat -p \"Name three birds.\" --temp 0.8 --top-p 0.95 --seed 7\n"
    "  headway run model.gguf --ids 1,2,3 -n 16 --json\n"
    "\n"
    "Sampling order: repeat penalty, logit bias, allow-list, top-k, top-p, min-p, temperature.\n"
    "HEADWAY_CPU=reference|avx2|avx512 forces an instruction set; HEADWAY_CACHE names the cache "
    "directory.";

constexpr const char* kPackExamples =
    "Examples:\n"
    "  headway pack model.gguf -o package\n"
    "  headway pack model.gguf -o package --topology 0:20,20:24,24:30,30:32 --head full:3";

constexpr const char* kSynthExamples =
    "Shapes: phi4-mini (4 GB at q8_0), small-head-heavy, tiny-phi, tiny-llama.\n"
    "Types: f32 f16 bf16 q8_0 q4_0 q4_1 q5_0 q5_1 q4_k_m q5_k q6_k.\n"
    "Example:\n"
    "  headway synth tiny-phi -o tiny.gguf --type q4_0 --seed 3";

constexpr const char* kEvalExamples =
    "Examples:\n"
    "  headway eval perplexity model.gguf -f text.txt --ctx 512\n"
    "  headway eval agreement package -f text.txt --reference model.gguf --json\n"
    "\n"
    "perplexity: windows of --ctx tokens, the second half of each scored, as llama-perplexity "
    "does.\n"
    "agreement: next-token distributions against a separate computation in double precision.";

void AddLoad(CLI::App* app, std::string* load) {
  app->add_option("--load", *load,
                  "weights: map (read in place), copy (into huge pages), auto (copy when large and "
                  "memory is free)")
      ->check(CLI::IsMember({"auto", "map", "copy"}))
      ->capture_default_str()
      ->type_name("HOW");
}

void AddRun(CLI::App* app, RunArguments* run) {
  app->footer(kRunExamples);
  app->add_option("model", run->model, "a GGUF file or a package directory")
      ->required()
      ->type_name("MODEL");
  app->add_option("-p,--prompt", run->prompt, "the prompt")->type_name("TEXT");
  app->add_option("--prompt-file", run->prompt_file, "read the prompt from a file")
      ->type_name("FILE");
  app->add_option("--ids", run->ids, "the prompt as token ids: 1,2,3")->type_name("IDS");
  app->add_flag("--chat", run->chat, "put the prompt into the model's chat format");
  app->add_option("--system", run->system, "system message, with --chat")->type_name("TEXT");
  app->add_option("-n,--tokens", run->max_new_tokens, "tokens to generate at most")
      ->capture_default_str()
      ->type_name("N");
  app->add_flag("--ignore-end", run->ignore_end, "go on after an end-of-text token");
  app->add_option("--threads", run->threads, "0: all processors")
      ->capture_default_str()
      ->type_name("N");
  app->add_option("--topology", run->topology, "layers a shard, or 0:20,20:24,...; of a GGUF")
      ->capture_default_str();
  app->add_option("--head", run->head, "LM head: full:N with N vocabulary shards")
      ->type_name("KIND");
  app->add_flag("--verify", run->verify, "compare every file of the package with its digest first");
  AddLoad(app, &run->load);
  app->add_flag("--profile", run->profile, "print where the time went");
  app->add_flag("--json", run->json, "print one JSON object on stdout instead of the text");
  app->add_flag("--logprobs", run->logprobs, "natural log-probability of each token (in --json)");
  SamplingParams& s = run->sampling;
  app->add_option("--temp", s.temperature, "temperature; 0: greedy")
      ->capture_default_str()
      ->type_name("T");
  app->add_option("--top-k", s.top_k, "keep the k best; 0: off")
      ->capture_default_str()
      ->type_name("K");
  app->add_option("--top-p", s.top_p, "keep the smallest set of that mass; 1: off")
      ->capture_default_str()
      ->type_name("P");
  app->add_option("--min-p", s.min_p, "keep tokens at least P times as likely as the best; 0: off")
      ->capture_default_str()
      ->type_name("P");
  app->add_option("--repeat-penalty", s.repeat_penalty, "1: off")
      ->capture_default_str()
      ->type_name("R");
  app->add_option("--repeat-last-n", s.repeat_last_n, "tokens the penalty looks back at; -1: all")
      ->capture_default_str()
      ->type_name("N");
  app->add_option("--seed", s.seed, "same seed, same text")->capture_default_str()->type_name("S");
  app->add_option("--logit-bias", run->logit_bias, "added to logits: ID:B,ID:B")->type_name("LIST");
  app->add_option("--allow-ids", run->allow_ids_file, "file with the only ids allowed")
      ->type_name("FILE");
}

void AddPack(CLI::App* app, PackArguments* pack) {
  app->footer(kPackExamples);
  app->add_option("model", pack->model, "a GGUF file")->required()->type_name("MODEL.gguf");
  app->add_option("-o,--output", pack->output, "the package directory to make")
      ->required()
      ->type_name("DIR");
  app->add_option("--device", pack->device, "cpu")->capture_default_str();
  app->add_option("--topology", pack->topology, "layers a shard, or an explicit cover")
      ->capture_default_str();
  app->add_option("--head", pack->heads, "head kinds, the first is the default: full:4,full:8")
      ->capture_default_str();
  app->add_flag("--replace", pack->replace, "replace an existing package");
}

void AddSynth(CLI::App* app, SynthArguments* synth) {
  app->footer(kSynthExamples);
  app->add_option("shape", synth->shape, "which model")->required()->type_name("SHAPE");
  app->add_option("-o,--output", synth->output, "the GGUF to write")->required()->type_name("FILE");
  app->add_option("--type", synth->type, "weight type")->capture_default_str();
  app->add_option("--seed", synth->seed, "same seed, same bytes")->capture_default_str();
  app->add_flag("--pure", synth->pure,
                "every matrix in the named type, instead of llama.cpp's mix");
}

void AddBench(CLI::App* app, BenchArguments* bench) {
  app->footer(
      "Examples:\n  headway bench memory\n  headway bench chain model.gguf --threads 2 --tokens "
      "64\n"
      "  headway bench all models/story-12m.gguf");
  app->add_option("what", bench->what, "memory, chain, prefill, batch, head, sampling or all")
      ->required()
      ->check(CLI::IsMember({"memory", "chain", "prefill", "batch", "head", "sampling", "all"}))
      ->type_name("WHAT");
  app->add_option("model", bench->model, "a GGUF file or a package directory")->type_name("MODEL");
  app->add_option("--threads", bench->threads, "0: all processors")
      ->capture_default_str()
      ->type_name("N");
  app->add_option("--tokens", bench->tokens, "decoded tokens a round")
      ->capture_default_str()
      ->type_name("N");
  app->add_option("--context", bench->context, "tokens before them")
      ->capture_default_str()
      ->type_name("N");
  app->add_option("--rounds", bench->rounds, "rounds, in turns")
      ->capture_default_str()
      ->type_name("N");
  AddLoad(app, &bench->load);
}

void AddEval(CLI::App* app, EvalArguments* eval) {
  app->footer(kEvalExamples);
  app->require_subcommand(1);
  CLI::App* perplexity = app->add_subcommand("perplexity", "how well the model predicts a text");
  CLI::App* agreement = app->add_subcommand("agreement", "how closely it follows the reference");
  for (CLI::App* each : {perplexity, agreement}) {
    each->add_option("model", eval->model, "a GGUF file or a package directory")
        ->required()
        ->type_name("MODEL");
    each->add_option("-f,--file", eval->text_file, "the text")->required()->type_name("TEXT");
    each->add_option("--threads", eval->threads, "0: all processors")->type_name("N");
    each->add_option("--topology", eval->topology, "layers a shard; of a GGUF")->type_name("T");
    each->add_option("--head", eval->head, "LM head kind")->type_name("KIND");
    each->add_flag("--json", eval->json, "print one JSON object");
  }
  perplexity->add_option("--ctx", eval->window_tokens, "tokens of a window")
      ->capture_default_str()
      ->type_name("N");
  perplexity->add_option("--chunks", eval->max_windows, "windows at most; 0: all")->type_name("N");
  agreement->add_option("-n,--tokens", eval->max_tokens, "tokens at most; 0: the model's context")
      ->capture_default_str()
      ->type_name("N");
  agreement->add_option("--reference", eval->reference, "the GGUF that a package was made from")
      ->type_name("FILE");
  agreement->callback([eval] { eval->agreement = true; });
}

// The first line of what CLI11 says, as one line of ours.
std::string OneLine(const std::string& text) {
  return "headway: " + text.substr(0, text.find('\n')) + " (see --help)\n";
}

}  // namespace

ParseOutcome ParseCommandLine(int argc, const char* const* argv) {
  CLI::App app(kAbout, "headway");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("headway ") + kVersion);
  RunArguments run;
  PackArguments pack;
  SynthArguments synth;
  InspectArguments inspect;
  EvalArguments eval;
  CLI::App* run_app = app.add_subcommand("run", "generate text from a GGUF or a package");
  CLI::App* pack_app = app.add_subcommand("pack", "make a package from a GGUF");
  CLI::App* synth_app =
      app.add_subcommand("synth", "write a GGUF of a real shape with synthetic weights");
  CLI::App* inspect_app = app.add_subcommand("inspect", "show what is in a GGUF or a package");
  BenchArguments bench;
  AddBench(app.add_subcommand("bench", "measure against what the memory can deliver"), &bench);
  CLI::App* eval_app =
      app.add_subcommand("eval", "perplexity of a text, or agreement with the reference");
  AddEval(eval_app, &eval);
  AddRun(run_app, &run);
  AddPack(pack_app, &pack);
  AddSynth(synth_app, &synth);
  inspect_app->footer("Examples:\n  headway inspect model.gguf\n  headway inspect package --graph");
  inspect_app->add_option("path", inspect.path, "a GGUF file or a package directory")
      ->required()
      ->type_name("PATH");
  inspect_app->add_flag("--graph", inspect.graph, "print the graph of every shard");
  ParseOutcome outcome;
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    std::ostringstream out;
    app.exit(success, out, out);
    outcome.text = out.str();
    return outcome;
  } catch (const CLI::ParseError& error) {
    outcome.exit_status = 2;
    outcome.text = OneLine(error.what());
    return outcome;
  }
  if (run_app->parsed()) outcome.arguments = std::move(run);
  if (pack_app->parsed()) outcome.arguments = std::move(pack);
  if (synth_app->parsed()) outcome.arguments = std::move(synth);
  if (eval_app->parsed()) outcome.arguments = std::move(eval);
  if (inspect_app->parsed()) outcome.arguments = std::move(inspect);
  if (app.got_subcommand("bench")) outcome.arguments = std::move(bench);
  return outcome;
}

}  // namespace headway::cli
