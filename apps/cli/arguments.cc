#include "arguments.h"

#include <CLI/CLI.hpp>
#include <sstream>
#include <string>
#include <utility>

#include "headway/version.h"
#include "options.h"
#include "parse_mistake.h"

namespace headway::cli {
namespace {

constexpr const char* kAbout =
    "Headway decodes language models whose LM head is the bottleneck.\n"
    "\n"
    "  headway run models/story-12m.gguf -p \"Once upon a time\"         text from a model\n"
    "  headway run models/story-12m.gguf --chat -p \"Tell me a story.\"  an answer in a chat\n"
    "  headway serve models/story-12m.gguf                             OpenAI's API at port 8080\n"
    "  headway pack model.gguf -o package --head full:8                a package for later runs\n"
    "  headway inspect package                                         what is in it\n"
    "  headway gate all package                                        whether it is right\n"
    "  headway bench chain model.gguf                                  how fast it decodes\n"
    "  headway lab lab/lm-head.json -o results                         an experiment with a "
    "report\n"
    "\n"
    "Each command has --help with examples.";

constexpr const char* kFooter =
    "Exit status: 0 done, 1 a gate failed, 2 bad usage or input, 3 internal error, 4 a text "
    "that ended before its grammar did, 130 interrupted.\n"
    "Environment: HEADWAY_CPU=reference|avx2|avx512|neon|neon_dot|neon_i8mm forces an instruction "
    "set;\n"
    "HEADWAY_CACHE names the directory for packages made from GGUF files.";

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
  GrammarArguments grammar;
  CLI::App* grammar_app =
      app.add_subcommand("grammar", "Tests texts against a grammar or a JSON schema.");
  AddGrammar(grammar_app, &grammar);
  CacheArguments cache;
  CLI::App* cache_app =
      app.add_subcommand("cache", "Shows and empties the cache of packages made from GGUF files.");
  AddCache(cache_app, &cache);
  ServeArguments serve;
  CLI::App* serve_app = app.add_subcommand("serve", "Serves a model over HTTP: OpenAI's API.");
  AddServe(serve_app, &serve);
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
  if (cache_app->parsed()) outcome.arguments = std::move(cache);
  if (serve_app->parsed()) outcome.arguments = std::move(serve);
  if (lab_app->parsed()) outcome.arguments = std::move(lab);
  if (grammar_app->parsed()) outcome.arguments = std::move(grammar);
  if (gate_app->parsed()) outcome.arguments = std::move(gate);
  if (bench_app->parsed()) outcome.arguments = std::move(bench);
  if (inspect_app->parsed()) outcome.arguments = std::move(inspect);
  return outcome;
}

}  // namespace headway::cli
