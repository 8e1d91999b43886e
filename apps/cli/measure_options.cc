#include "options.h"

namespace headway::cli {
namespace {

constexpr const char* kLabExamples =
    "Examples:\n"
    "  headway lab lab/lm-head.json -o results/lm-head\n"
    "  headway lab lab/shard-count.json -o results/shards --model phi.gguf\n"
    "\n"
    "Packs what is missing, gates every variant, measures in turns, and writes results.json, an\n"
    "entry in Markdown and an HTML page into DIR. Ctrl-C keeps what is done; the same command "
    "goes\n"
    "on from there (docs/lab.md).";

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
    "WHAT: memory, chain (decode steps), prefill, batch, head, sampling, context, "
    "speculate, or all.";

}  // namespace

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
  app->add_flag(
      "--sampled", bench->sampled,
      "with --margin, --hidden: temperatures 0.8 and 1, top-k 40, too; with --prompt-file: "
      "temperature 1 in place of greedy");
  app->add_option("--hidden", bench->hidden,
                  "with head: the same on hidden states from a file, binary32, before the norm")
      ->type_name("FILE");
  app->add_option("--prompt-file", bench->prompt_file,
                  "with speculate: prompt lookup against plain decoding on what follows this text")
      ->type_name("FILE");
  AddLoad(app, &bench->load);
  AddKv(app, &bench->kv);
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
    each->add_option("--head", eval->head, "LM head kind; default auto, or the package's first")
        ->type_name("KIND");
    AddComputeUnits(each, &eval->compute_units);
    AddKv(each, &eval->kv);
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

}  // namespace headway::cli
