#include "options.h"

namespace headway::cli {
namespace {

constexpr const char* kCacheExamples =
    "Examples:\n"
    "  headway cache list\n"
    "  headway cache clean\n"
    "  headway cache clean story-12m-0123456789abcdef\n"
    "  headway cache path";

}  // namespace

void AddCache(CLI::App* app, CacheArguments* cache) {
  app->footer(kCacheExamples);
  app->require_subcommand(1);
  const auto add = [&](const char* what, const char* help) {
    CLI::App* const command = app->add_subcommand(what, help);
    command->footer(kCacheExamples);
    command->callback([cache, what] { cache->what = what; });
    return command;
  };
  add("list", "Packages in the cache, with their sizes.");
  add("clean", "Removes packages from the cache: all, or those named.")
      ->add_option("names", cache->names, "as list shows them; none: all")
      ->type_name("NAME");
  add("path", "Where the cache is.");
}

}  // namespace headway::cli
