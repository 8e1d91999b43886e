#include "options.h"

namespace headway::cli {
namespace {

constexpr const char* kServeExamples =
    "Examples:\n"
    "  headway serve model.gguf\n"
    "  headway serve package --port 9000 --parallel 16 --head certified\n"
    "  headway serve model.gguf --host 0.0.0.0 --api-key-file keys.txt --alias small\n"
    "\n"
    "Then http://127.0.0.1:8080/v1 is an OpenAI API: chat/completions, completions, responses, "
    "embeddings,\n"
    "models; Anthropic's messages; llama-server's completion, tokenize, metrics, ... "
    "(docs/serving.md).\n"
    "The same request and seed give the same tokens, whatever else runs. Ctrl-C and SIGTERM let "
    "what "
    "runs\n"
    "finish; a second one ends at once.";

// What requests have that do not say it.
void AddDefaults(CLI::App* app, ServeArguments* serve) {
  const auto group = [](CLI::Option* option, const char* type) {
    option->type_name(type)->group("Requests that do not say it");
  };
  group(AddNumber(app, "--temp", &serve->temperature, "temperature; 0: greedy"), "T");
  group(AddNumber(app, "--top-k", &serve->top_k, "keep the K best; 0: off"), "K");
  group(AddNumber(app, "--top-p", &serve->top_p, "keep the smallest set of that mass; 1: off"),
        "P");
  group(AddNumber(app, "--min-p", &serve->min_p,
                  "keep tokens at least P times as likely as the best; 0: off"),
        "P");
  group(AddNumber(app, "--repeat-penalty", &serve->repeat_penalty, "1: off"), "R");
  group(AddNumber(app, "--presence-penalty", &serve->presence_penalty, "0: off"), "P");
  group(AddNumber(app, "--frequency-penalty", &serve->frequency_penalty, "0: off"), "F");
  group(AddNumber(app, "--seed", &serve->seed, "same seed, same text; -1: drawn"), "S");
  group(AddNumber(app, "-n,--n-predict", &serve->new_tokens, "new tokens at most; -1: no limit"),
        "N");
}

}  // namespace

void AddServe(CLI::App* app, ServeArguments* serve) {
  app->footer(kServeExamples);
  app->add_option("model", serve->model, "a GGUF file or a package directory; or LLAMA_ARG_MODEL")
      ->type_name("MODEL");
  const auto text = [&](const char* names, auto* value, const char* what, const char* type) {
    app->add_option(names, *value, what)->type_name(type);
  };
  text("--host", &serve->host, "the address to listen at (127.0.0.1)", "ADDRESS");
  AddNumber(app, "--port", &serve->port, "the port (8080); 0: any free one")->type_name("N");
  AddNumber(app, "-c,--ctx-size", &serve->context_tokens,
            "longest conversation in tokens; 0, the default: the model's context")
      ->type_name("N");
  AddNumber(app, "--parallel", &serve->parallel, "conversations that are decoded at once (8)")
      ->type_name("N");
  text("-a,--alias", &serve->alias, "the model's name for clients; with commas further ones",
       "NAME");
  text("--api-key", &serve->api_key, "who asks must show this key; with commas one of several",
       "KEY");
  text("--api-key-file", &serve->api_key_file, "the keys, one a line; # begins a comment", "FILE");
  text("--cors", &serve->cors,
       "pages of these origins may call the API from browsers; localhost: of this machine; *: of "
       "any",
       "ORIGINS");
  text("--chat-template", &serve->chat_template,
       "in place of the model's: chatml, llama3, gemma, granite, phi3, phi4mini, or Jinja",
       "NAME|TEXT");
  text("--chat-template-file", &serve->chat_template_file, "the same from a file", "FILE");
  text("--pooling", &serve->pooling, "of embeddings: mean, last, or none (a row each token)",
       "HOW");
  AddDefaults(app, serve);
  AddHosts(app, &serve->hosts);
  AddNumber(app, "--queue", &serve->queue, "requests that may wait; further ones are told 429")
      ->type_name("N");
  AddNumber(app, "--kv-tokens", &serve->kv_tokens,
            "keys and values of all conversations together, in tokens; 0: parallel x ctx-size, as "
            "far as half of the free memory goes")
      ->type_name("N");
  AddNumber(app, "--prompt-budget", &serve->prompt_budget,
            "tokens of prompts read in a step beside conversations that are decoded")
      ->type_name("N");
  AddNumber(app, "--drain", &serve->drain_s, "seconds that answers may take after SIGTERM")
      ->type_name("S");
  AddNumber(app, "--draft-tokens", &serve->draft_tokens,
            "drafts a step by prompt lookup, 0 to 15; the same tokens")
      ->type_name("N");
  AddNumber(app, "--threads", &serve->threads, "0: all processors")->type_name("N");
  text("--head", &serve->head, "LM head, as for run", "KIND");
  text("--topology", &serve->topology, "layers a shard, as for run", "T");
  text("--certificate", &serve->certificate, "of a certified head, as for run", "HOW");
  app->add_flag("--verify", serve->verify,
                "compare every file of the package with its digest first");
  app->add_flag("--allow-ungated", serve->allow_ungated,
                "serve a package although a gate failed, or none was asked");
  AddLoad(app, &serve->load);
  AddComputeUnits(app, &serve->compute_units);
  AddKv(app, &serve->kv);
}

}  // namespace headway::cli
