#include "options.h"

namespace headway::cli {
namespace {

constexpr const char* kGrammarExamples =
    "Examples:\n"
    "  headway grammar match --json-schema answer.json answer.txt\n"
    "  headway grammar match --grammar list.gbnf -\n"
    "  headway grammar match --json-schema answer.json --texts answers.jsonl --json\n"
    "\n"
    "Exit status: 0 it is one, 1 it is not, 2 the grammar or the arguments are wrong.";

}  // namespace

void AddGrammar(CLI::App* app, GrammarArguments* grammar) {
  app->footer(kGrammarExamples);
  app->require_subcommand(1);
  CLI::App* match = app->add_subcommand("match", "Whether a text is one of a grammar.");
  match->footer(kGrammarExamples);
  match->add_option("text", grammar->text_file, "the text; -: from stdin")->type_name("TEXT");
  match->add_option("--grammar", grammar->grammar_file, "a grammar in GBNF")->type_name("FILE");
  match->add_option("--json-schema", grammar->json_schema_file, "a JSON schema")->type_name("FILE");
  match
      ->add_option("--texts", grammar->texts_file,
                   "instead of one text: a file with a JSON string of one on each line")
      ->type_name("FILE");
  match->add_flag("--as-generated", grammar->as_generated,
                  "with --json-schema: only texts that run would make");
  match->add_flag("--no-formats", grammar->no_formats,
                  "with --json-schema: the keyword format says nothing");
  match->add_flag("--json", grammar->json, "print a JSON object for each text");
}

}  // namespace headway::cli
