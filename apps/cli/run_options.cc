#include "options.h"

namespace headway::cli {
namespace {

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
  group(AddNumber(app, "--presence-penalty", &s.presence_penalty,
                  "off logits of ids among them; 0: off"),
        "P");
  group(AddNumber(app, "--frequency-penalty", &s.frequency_penalty,
                  "off logits of ids among them, each time; 0: off"),
        "F");
  group(app->add_option("--seed", run->seed, "same seed, same text; -1, the default: drawn")
            ->check(CLI::Validator(
                [](std::string& text) -> std::string {
                  return text == "-1" ? "" : IsNumber<uint64_t>()(text);
                },
                "")),
        "S");
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
  group(AddNumber(app, "--draft-tokens", &run->draft_tokens, "drafts a step at most, 1 to 15 (7)"),
        "N");
}

void AddPrompt(CLI::App* app, RunArguments* run) {
  app->add_option("-p,--prompt", run->prompt, "the prompt")->type_name("TEXT");
  app->add_option("--prompt-file", run->prompt_file, "read the prompt from a file; -: from stdin")
      ->type_name("FILE");
  app->add_option("--ids", run->ids, "the prompt as token ids: 1,2,3")->type_name("IDS");
  app->add_flag("--chat", run->chat, "put the prompt into the model's chat format");
  app->add_option("--system", run->system, "system message, with --chat")->type_name("TEXT");
  app->add_flag("--special", run->special,
                "special tokens that the prompt spells count as such; never with --chat");
  app->add_option("--messages", run->messages_file,
                  "with --chat: the conversation as a JSON list of messages; - for stdin")
      ->type_name("FILE");
  app->add_option("--tools", run->tools_file, "with --chat: a JSON list of tools")
      ->type_name("FILE");
  app->add_option("--chat-template", run->chat_template_file,
                  "with --chat: a Jinja template in place of the model's own")
      ->type_name("FILE");
  app->add_option("--chat-template-kwargs", run->chat_variables,
                  "with --chat: a JSON object of variables for the template")
      ->type_name("JSON");
}

void AddTextForm(CLI::App* app, RunArguments* run) {
  app->add_option("--grammar", run->grammar_file, "what the new text must be, in GBNF")
      ->type_name("FILE");
  app->add_option("--json-schema", run->json_schema_file, "JSON that the new text must be")
      ->type_name("FILE");
  app->add_option(
         "--json-whitespace", run->json_whitespace,
         "with --json-schema: canonical (a blank after : and , alone, the default), or free "
         "(runs of at most 2 line breaks and 16 blanks)")
      ->type_name("HOW")
      ->check(CLI::IsMember({"canonical", "free"}));
  app->add_flag_callback(
      "--finish-within-budget", [run] { run->finish_within_budget = true; },
      "ends a grammar's text by the shortest way as -n runs out; with --json-schema the default");
  app->add_flag_callback(
      "--no-finish-within-budget", [run] { run->finish_within_budget = false; },
      "with --json-schema: cuts the text instead");
}

}  // namespace

void AddComputeUnits(CLI::App* app, std::string* units) {
  app->add_option(
         "--compute-units", *units,
         "of Core ML packages: cpu-and-neural-engine (default on a Mac), all, cpu-and-gpu, "
         "cpu-only, or interpreter: ours runs them (default elsewhere)")
      ->type_name("UNITS");
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

void AddKv(CLI::App* app, std::string* kv) {
  app->add_option("--kv", *kv,
                  "keys and values: f16, or q8_0, which takes half the memory and moves logits a "
                  "little")
      ->check(CLI::Validator(
          [](std::string& text) -> std::string {
            if (text == "f16" || text == "q8_0") return "";
            return fmt::format("expected f16 or q8_0, found '{}'", text);
          },
          ""))
      ->capture_default_str()
      ->type_name("TYPE");
}

void AddHosts(CLI::App* app, HostsArguments* hosts) {
  const auto group = [](CLI::Option* option, const char* type) {
    option->type_name(type)->group("Several hosts (mpirun -n N headway ...)");
  };
  group(app->add_option("--hosts", hosts->hosts,
                        "layers:L,head:H: parts of the model by rank, the layers' on the first, "
                        "the head's on the last; from max(L, H) to L + H ranks"),
        "PARTS");
  group(AddNumber(app, "--hosts-timeout", &hosts->timeout_s,
                  "a rank that gives no sign of life for that long is lost"),
        "SECONDS");
}

void AddRun(CLI::App* app, RunArguments* run) {
  app->footer(kRunExamples);
  app->add_option("model", run->model, "a GGUF file or a package directory")
      ->required()
      ->type_name("MODEL");
  AddPrompt(app, run);
  AddNumber(app, "-n,--tokens,--n-predict,--max-tokens", &run->max_new_tokens,
            "tokens to generate at most")
      ->type_name("N");
  app->add_option("--stop", run->stop, "ends the text where TEXT begins; may be given again")
      ->allow_extra_args(false)
      ->type_name("TEXT");
  app->add_flag("--ignore-end", run->ignore_end, "go on after an end-of-text token");
  AddNumber(app, "--threads", &run->threads, "0: all processors")->type_name("N");
  app->add_option("--topology", run->topology,
                  "layers a shard, or 0:20,20:24,...; default 6, or the package's own")
      ->type_name("T");
  app->add_option(
         "--head", run->head,
         "LM head: full:N has N vocabulary shards, certified reads less, reduced:K tries K rows "
         "first; default auto: certified where it is expected to pay, else full:4; or the "
         "package's first")
      ->type_name("KIND");
  app->add_option("--usage", run->usage_file,
                  "of a GGUF: a text like those to come, which the head learns from; with "
                  "reduced:K its K most used tokens come first")
      ->type_name("FILE");
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
  AddComputeUnits(app, &run->compute_units);
  AddKv(app, &run->kv);
  app->add_flag("--profile", run->profile, "print where the time went, on stderr");
  app->add_flag("--json", run->json, "print one JSON object on stdout instead of the text");
  app->add_flag("--logprobs", run->logprobs, "with --json: natural log-probability of each token");
  AddSampling(app, run);
  AddSpeculation(app, run);
  AddHosts(app, &run->hosts);
  AddTextForm(app, run);
}

}  // namespace headway::cli
