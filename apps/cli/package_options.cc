#include <fmt/format.h>

#include "options.h"

namespace headway::cli {
namespace {

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
    "  headway gate all package --report\n"
    "\n"
    "residency: every compute op runs where the device wants it. golden: the shards compute what "
    "the\n"
    "model file says, compared with two separate computations in double precision. The results "
    "are\n"
    "kept in the package; exit status 1 when a gate fails (docs/gates.md).";

constexpr const char* kSynthExamples =
    "Shapes: phi4-mini (4 GB at q8_0), phi4-mini-head (one layer), small-head-heavy, gemma2-2b\n"
    "(2.8 GB), tiny-phi, tiny-llama, tiny-llama3, tiny-qwen2, tiny-qwen3, tiny-gemma2, "
    "tiny-gemma3,\n"
    "tiny-smollm3, tiny-granite, tiny-ernie4_5, tiny-exaone4, tiny-wide-head.\n"
    "Types: f32 f16 bf16 q8_0 q4_0 q4_1 q5_0 q5_1 q4_k_m q5_k_m q6_k.\n"
    "Example:\n"
    "  headway synth tiny-phi -o tiny.gguf --type q4_0 --seed 3";

constexpr const char* kInspectExamples =
    "Examples:\n"
    "  headway inspect model.gguf\n"
    "  headway inspect package --graph\n"
    "  headway inspect package/layers_000_006.mlpackage --json";

}  // namespace

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
  app->add_option(
         "--head", pack->heads,
         "head kinds, the first is the default: full:4,certified; or auto: certified where it pays")
      ->capture_default_str()
      ->type_name("KINDS");
  app->add_option("--usage", pack->usage_file,
                  "a text like those to come, which certified heads learn from; with reduced:K its "
                  "K most used tokens come first")
      ->type_name("FILE");
  AddNumber(app, "--directions", &pack->most_directions,
            "of a certified head: common directions of its rows that it may take, at most 16")
      ->type_name("N");
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
                         "cache as per-layer states (default), one unified state, or io: inputs "
                         "and outputs that the host keeps"),
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
  coreml(app->add_option("--residual-scale", pack->residual_scale,
                         "factor on hidden states, a power of two; default: as values that a text "
                         "reaches ask for"),
         "S");
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
  AddComputeUnits(app, &gate->compute_units);
  app->add_flag("--report{headway-gate-report.json}", gate->report_file,
                "write all of it and what machine this is to a file, also when opening fails; "
                "--report=FILE names another")
      ->type_name("FILE");
  app->add_flag("--json", gate->json, "print one JSON object");
}

void AddSynth(CLI::App* app, SynthArguments* synth) {
  app->footer(kSynthExamples);
  app->add_option("shape", synth->shape, "which model")->required()->type_name("SHAPE");
  app->add_option("-o,--output", synth->output, "the GGUF to write")->required()->type_name("FILE");
  app->add_option("--type", synth->type, "weight type")->capture_default_str()->type_name("TYPE");
  app->add_option("--head-type", synth->head_type,
                  "type of the head's matrix alone; default: as llama.cpp's mix has it")
      ->type_name("TYPE");
  AddNumber(app, "--parts", &synth->parts, "files to spread the model over")->type_name("N");
  AddNumber(app, "--seed", &synth->seed, "same seed, same bytes")->type_name("S");
  app->add_option("--margin", synth->margin,
                  "an untied head whose winner stands M sigma above the bulk")
      ->type_name("M");
  AddNumber(app, "--distinct-rows", &synth->distinct_rows,
            "an untied head of N different rows, again and again; 0: all different")
      ->type_name("N");
  app->add_flag("--pure", synth->pure,
                "every matrix in the named type, instead of llama.cpp's mix");
}

void AddInspect(CLI::App* app, InspectArguments* inspect) {
  app->footer(kInspectExamples);
  app->add_option("path", inspect->path, "a GGUF file, a package directory or a .mlpackage")
      ->required()
      ->type_name("PATH");
  app->add_flag("--graph", inspect->graph, "print the graph or program of every shard");
  app->add_flag("--json", inspect->json,
                "a package or .mlpackage as one JSON object, with where every op is predicted to "
                "run");
}

}  // namespace headway::cli
